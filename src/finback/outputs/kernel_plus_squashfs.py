"""Kernel, command line and a SquashFS, which the kernel mounts as its root without unpacking it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finback.assemble.system import Contents, Piece, System
from finback.codec import squashfs
from finback.codec.compress import version
from finback.ground import canonical
from finback.outputs import Format, Options, Written
from finback.outputs._root import Root, described, entries, files, unfit
from finback.tree.content import Slice
from finback.tree.entry import AnyEntry

FILESYSTEM = "squashfs"
# Raised whenever the same tree would give other bytes.
VERSION = 1


def image(tree: Sequence[AnyEntry], system: System, contents: Contents, options: Options) -> Iterator[Piece]:
    """The image of *tree*. It is made once, because its beginning is known last, and kept."""
    method, level = options.compression.method, options.compression.level
    settings = squashfs.Settings(method=method, level=level, mtime=system.epoch)
    made_of = [str(options.compression), version(method), system.epoch, described(tree)]

    def make() -> Iterator[bytes]:
        head = yield from squashfs.encode(tree, contents.read, settings)
        yield head

    try:
        key = canonical.digest([FILESYSTEM, VERSION, *made_of])
        kept = contents.remembered(key, f"compressing {FILESYSTEM}", make)
    except ValueError as failure:
        raise unfit(FILESYSTEM, system, failure) from None
    body = kept.size - squashfs.HEAD
    yield b"".join(bytes(c) for c in contents.read(Slice(kept.blob, body, squashfs.HEAD)))
    yield Slice(kept.blob, 0, body)


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """The files that LinuxKit's format of the same name has, and an initrd where the kernel needs one for its root."""
    tree = entries(system, contents)
    root = Root(filesystem=FILESYSTEM, tree=tree, body=lambda: image(tree, system, contents, options))
    yield from files(system, contents, options, root)


FORMAT = Format(write=write, root=FILESYSTEM)
