"""The tree that a disc holds, with where the data of each file is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from finback.codec import disk
from finback.codec.disk import Disk
from finback.codec.iso9660.field import sectors
from finback.tree.entry import AnyEntry, Directory, File, HardLink

# The largest section of a file that is whole sectors (ECMA-119, 9.1.4: its length has 32 bits).
SECTION = 0xFFFFF800


@dataclass(frozen=True, slots=True)
class Within:
    """A file whose bytes are those of another one, from an offset that is whole sectors: they are on the disc once."""

    path: str
    offset: int
    size: int


Body = Disk | Within


class Data:
    """The bytes of a file, and their first sector once it is known."""

    __slots__ = ("body", "sector")

    def __init__(self, body: Body) -> None:
        self.body = body
        self.sector = 0

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self.body.size if isinstance(self.body, Within) else disk.size(self.body)

    def sections(self) -> Iterator[tuple[int, int]]:
        """First sector and length of each section; an empty file has one."""
        whole, done = self.size, 0
        while True:
            size = min(whole - done, SECTION)
            yield self.sector + sectors(done), size
            done += size
            if done >= whole:
                return


@dataclass(slots=True, eq=False)
class Node:
    """A name in the tree."""

    entry: AnyEntry
    name: str
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    data: Data | None = None
    """Files only; the names of one file share it."""
    links: int = 1
    serial: int = 0

    @property
    def up(self) -> Node:
        """The directory that it is in; the root is in itself."""
        return self.parent or self

    @property
    def is_directory(self) -> bool:
        """Whether it may have children."""
        return isinstance(self.entry, Directory)


def tree(entries: Iterable[AnyEntry], bodies: Mapping[str, Body], epoch: int) -> Node:
    """The root of the tree of *entries*; directories that are missing on the way are supplied.

    A file has what *bodies* says by its path, or else its own content.

    Raises:
        ValueError: a name is there twice or lies in what is no directory; a hard link leads to no file.

    """
    nodes: dict[str, Node] = {"": Node(Directory(path="", mtime=epoch), "", links=2)}
    listed = list(entries)
    for entry in listed:
        if not entry.path:
            nodes[""].entry = entry
        elif not isinstance(entry, HardLink):
            node = _add(entry, nodes, epoch)
            if isinstance(entry, File):
                node.data = Data(bodies.get(entry.path, (entry.content,)))
    for entry in listed:
        if isinstance(entry, HardLink):
            target = nodes.get(entry.target)
            if target is None or target.data is None:
                raise ValueError(f"hard link {entry.path}: {entry.target} is no file of the tree")
            _add(replace(target.entry, path=entry.path), nodes, epoch).data = target.data
    _number(nodes.values())
    return nodes[""]


def _add(entry: AnyEntry, nodes: dict[str, Node], epoch: int) -> Node:
    there = nodes.get(entry.path)
    if there is not None:
        # A directory that was supplied for what is in it may still come itself.
        if not (there.is_directory and isinstance(entry, Directory)):
            raise ValueError(f"{entry.path} is there twice")
        there.entry = entry
        return there
    path, _, name = entry.path.rpartition("/")
    parent = nodes.get(path) or _add(Directory(path=path, mtime=epoch), nodes, epoch)
    if not parent.is_directory:
        raise ValueError(f"{entry.path}: {path} is no directory")
    node = nodes[entry.path] = Node(entry, name, parent)
    if isinstance(entry, Directory):
        node.links = 2
        parent.links += 1
    parent.children.append(node)
    return node


def _number(nodes: Iterable[Node]) -> None:
    """Serial numbers from 1 in the order of paths; the names of one file share theirs, and count each other."""
    shared: dict[int, list[Node]] = {}
    ordered = sorted(nodes, key=lambda n: n.entry.path.encode("utf-8", "surrogateescape").split(b"/"))
    for number, node in enumerate(ordered, 1):
        node.serial = number
        node.children.sort(key=lambda n: n.name.encode("utf-8", "surrogateescape"))
        if node.data is not None:
            shared.setdefault(id(node.data), []).append(node)
    for group in shared.values():
        for node in group:
            node.links, node.serial = len(group), group[0].serial


def walk(root: Node) -> Iterator[Node]:
    """*root* and everything below it, each directory before what is in it."""
    todo = [root]
    while todo:
        node = todo.pop()
        yield node
        todo += reversed(node.children)
