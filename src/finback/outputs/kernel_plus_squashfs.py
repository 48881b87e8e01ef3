"""Kernel, command line and a SquashFS, which the kernel mounts as its root without unpacking it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from finback.assemble.command_line import MOUNTED
from finback.assemble.system import Contents, Piece, System
from finback.codec import squashfs
from finback.codec.compress import version
from finback.outputs import Format, Options, Written
from finback.outputs._root import Root, compressed, described, entries, files, unfit
from finback.tree.entry import AnyEntry

FILESYSTEM = "squashfs"
# Raised whenever the same tree would give other bytes.
VERSION = 1


def image(tree: Sequence[AnyEntry], system: System, contents: Contents, options: Options) -> Iterator[Piece]:
    """The image of *tree*. It is made once, because its beginning is known last, and kept."""
    method, level = options.compression.method, options.compression.level
    settings = squashfs.Settings(method=method, level=level, mtime=system.epoch)
    made_of = [FILESYSTEM, VERSION, str(options.compression), version(method), system.epoch, described(tree)]
    try:
        yield from compressed(made_of, contents, squashfs.encode(tree, contents.read, settings), squashfs.HEAD)
    except ValueError as failure:
        raise unfit(FILESYSTEM, system, failure) from None


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """The files that LinuxKit's format of the same name has, and an initrd where the kernel needs one for its root."""
    tree = entries(system, contents)
    root = Root(filesystem=FILESYSTEM, tree=tree, body=lambda: image(tree, system, contents, options))
    yield from files(system, contents, options, root)


FORMAT = Format(write=write, ways=(MOUNTED,), root=FILESYSTEM, compressions=("zstd", "gzip", "lz4", "none"))
