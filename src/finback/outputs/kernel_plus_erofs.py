"""Kernel, command line and an EROFS, which the kernel mounts as its root and maps into memory as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import NAMESPACE_OID, uuid5

from finback.assemble.system import Contents, System
from finback.codec import erofs
from finback.ground import canonical
from finback.outputs import Format, Options, Written
from finback.outputs._root import Root, described, entries, files, unfit
from finback.tree.entry import AnyEntry

FILESYSTEM = "erofs"
LABEL = b"finback"


def image(tree: Sequence[AnyEntry], system: System, contents: Contents) -> Iterator[bytes]:
    """The image of *tree*, which its UUID is made of."""
    uuid = uuid5(NAMESPACE_OID, str(canonical.digest([FILESYSTEM, system.epoch, described(tree)]))).bytes
    settings = erofs.Settings(mtime=system.epoch, uuid=uuid, label=LABEL)
    try:
        yield from erofs.encode(tree, contents.read, settings)
    except ValueError as failure:
        raise unfit(FILESYSTEM, system, failure) from None


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """The files that LinuxKit's format of the same name has, and an initrd where the kernel needs one for its root."""
    tree = entries(system, contents)
    root = Root(filesystem=FILESYSTEM, tree=tree, body=lambda: image(tree, system, contents))
    yield from files(system, contents, options, root)


FORMAT = Format(write=write, root=FILESYSTEM)
