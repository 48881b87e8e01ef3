"""Entries as what file systems on disks store: inodes, and directories that name them.

A hard link is a further name of its file's inode. Children are sorted by the bytes of their names, which is the order
that the on-disk formats look names up in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Socket, Symlink

# Linux's NAME_MAX and PATH_MAX less the final NUL.
NAME_LIMIT = 255
TARGET_LIMIT = 4095
DIRECTORY, REGULAR, LINK = 0o040000, 0o100000, 0o120000
CHARACTER, BLOCK, FIFO, SOCKET = 0o020000, 0o060000, 0o010000, 0o140000
_TYPES = {Directory: DIRECTORY, File: REGULAR, Symlink: LINK, Fifo: FIFO, Socket: SOCKET}


@dataclass(slots=True, eq=False)
class Node:
    """An inode."""

    entry: AnyEntry
    """What it is, under the first of its names; never a HardLink."""
    number: int = 0
    """From 1, in the order of `inodes`."""
    links: int = 1
    """How many names lead to it; `.` and `..` count."""
    parent: Node | None = None
    """Where its first name is. None for the root."""
    children: list[tuple[bytes, Node]] = field(default_factory=list)
    """What a directory holds, sorted by name."""

    @property
    def kind(self) -> int:
        """The type bits of st_mode."""
        if isinstance(self.entry, Device):
            return BLOCK if self.entry.block else CHARACTER
        return _TYPES[type(self.entry)]

    @property
    def device(self) -> int:
        """A device's number in the kernel's 32-bit form (new_encode_dev in linux/kdev_t.h); 0 for anything else.

        Raises:
            ValueError: it does not fit.

        """
        if not isinstance(self.entry, Device):
            return 0
        major, minor = self.entry.major, self.entry.minor
        if not (0 <= major < 1 << 12 and 0 <= minor < 1 << 20):
            raise ValueError(f"{self.entry.path}: no device has the number {major}:{minor}")
        return minor & 0xFF | major << 8 | (minor & ~0xFF) << 12

    @property
    def target(self) -> bytes:
        """What a symbolic link says; empty for anything else."""
        return self.entry.target.encode("utf-8", "surrogateescape") if isinstance(self.entry, Symlink) else b""


def root(entries: Iterable[AnyEntry]) -> Node:
    """The tree of *entries*: each path once, every directory before what is in it, in any order otherwise.

    Raises:
        ValueError: *entries* is not like that, a hard link leads nowhere, or a name is too long.

    """
    top = Node(Directory(path=""), links=2)
    nodes: dict[str, Node] = {"": top}
    links: list[HardLink] = []
    for entry in entries:
        if not entry.path and isinstance(entry, Directory):
            top.entry = entry
            continue
        if entry.path in nodes:
            raise ValueError(f"{entry.path!r} is there twice")
        if isinstance(entry, HardLink):
            links.append(entry)
            continue
        node = Node(entry, links=2 if isinstance(entry, Directory) else 1)
        if not 0 < len(node.target) <= TARGET_LIMIT and isinstance(entry, Symlink):
            raise ValueError(f"{entry.path}: the target of a symbolic link has 1 to {TARGET_LIMIT} bytes")
        nodes[entry.path] = node
        _name(node, entry.path, nodes)
    for link in links:
        _join(link, nodes)
    for number, node in enumerate(inodes(top), 1):
        node.children.sort(key=_first)
        node.number = number
    return top


def inodes(top: Node) -> Iterator[Node]:
    """The inodes at and below *top*, each once, a directory before what is in it."""
    waiting = [top]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if node.links > 1 and not isinstance(node.entry, Directory):
            if id(node) in seen:
                continue
            seen.add(id(node))
        yield node
        waiting.extend(child for _, child in reversed(node.children))


def _first(child: tuple[bytes, Node]) -> bytes:
    return child[0]


def _name(node: Node, path: str, nodes: dict[str, Node]) -> None:
    """Put *node* into the directory that *path* says."""
    above, _, last = path.rpartition("/")
    parent = nodes.get(above)
    if parent is None or not isinstance(parent.entry, Directory):
        raise ValueError(f"{path!r} comes before its directory, or in something else")
    name = last.encode("utf-8", "surrogateescape")
    if not 0 < len(name) <= NAME_LIMIT or name in (b".", b".."):
        raise ValueError(f"{path!r}: a name has 1 to {NAME_LIMIT} bytes, and is not . or ..")
    parent.children.append((name, node))
    if node.parent is None:
        node.parent = parent
    if isinstance(node.entry, Directory):
        parent.links += 1


def _join(link: HardLink, nodes: dict[str, Node]) -> None:
    node = nodes.get(link.target)
    if node is None or isinstance(node.entry, Directory):
        raise ValueError(f"hard link {link.path}: {link.target} is no file of the tree")
    if link.path in nodes:
        raise ValueError(f"{link.path!r} is there twice")
    nodes[link.path] = node
    node.links += 1
    _name(node, link.path, nodes)
