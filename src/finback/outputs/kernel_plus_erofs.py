"""Kernel, command line and an EROFS, which the kernel mounts as its root: mapped into memory, or compressed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import NAMESPACE_OID, uuid5

from finback.assemble.command_line import MOUNTED
from finback.assemble.system import Contents, Piece, System
from finback.codec import erofs
from finback.codec.compress import version
from finback.ground import canonical
from finback.outputs import Format, Options, Written
from finback.outputs._root import Root, compressed, described, entries, files, unfit
from finback.tree.entry import AnyEntry

FILESYSTEM = "erofs"
# Raised whenever the same tree would give other bytes.
VERSION = 1
LABEL = b"finback"


def image(tree: Sequence[AnyEntry], system: System, contents: Contents, options: Options) -> Iterator[Piece]:
    """The image of *tree*, which its UUID is made of."""
    method, level = options.compression.method, options.compression.level
    what = [FILESYSTEM, system.epoch, described(tree)]
    uuid = uuid5(NAMESPACE_OID, str(canonical.digest(what))).bytes
    settings = erofs.Settings(mtime=system.epoch, uuid=uuid, label=LABEL, method=method, level=level)
    try:
        if method == "none":
            yield from erofs.encode(tree, contents.read, settings)
            return
        made_of = [*what, VERSION, str(options.compression), version(method)]
        yield from compressed(made_of, contents, erofs.compressed(tree, contents.read, settings), erofs.HEAD)
    except ValueError as failure:
        raise unfit(FILESYSTEM, system, failure) from None


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """The files that LinuxKit's format of the same name has, and an initrd where the kernel needs one for its root."""
    tree = entries(system, contents)
    root = Root(filesystem=FILESYSTEM, tree=tree, body=lambda: image(tree, system, contents, options))
    yield from files(system, contents, options, root)


FORMAT = Format(write=write, ways=(MOUNTED,), root=FILESYSTEM, compressions=("none", "lz4", "zstd", "gzip"))
