"""A directory hierarchy of a volume: directories as extents of records, and the path tables that list them.

Source: ECMA-119, 6.8, 9.1, 9.4; Joliet, "Directory Record".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from finback.codec.iso9660 import name, rock_ridge
from finback.codec.iso9660.field import SECTOR, both16, both32, padded, sectors, short_date
from finback.codec.iso9660.node import Node
from finback.tree.entry import Directory, File, Symlink

MAX_DIRECTORIES = 65535
SELF, PARENT = b"\0", b"\1"
FOLDER, MORE_SECTIONS = 0x02, 0x80
HEAD = 33


@dataclass(frozen=True, slots=True)
class Form:
    """What differs between the standard's hierarchy and Joliet's."""

    identify: Callable[[list[Node]], Mapping[Node, tuple[tuple[str, ...], bytes]]]
    """For each node of a directory, what it is sorted by and its identifier; what has none is left out."""
    rock_ridge: bool


def _plain(children: list[Node]) -> dict[Node, tuple[tuple[str, ...], bytes]]:
    names = name.plain((c.name, c.is_directory) for c in children)
    out: dict[Node, tuple[tuple[str, ...], bytes]] = {}
    for child in children:
        stem, extension = names[child.name]
        out[child] = (stem, extension), (stem if child.is_directory else f"{stem}.{extension};1").encode()
    return out


def _joliet(children: list[Node]) -> dict[Node, tuple[tuple[str, ...], bytes]]:
    kept = [c for c in children if isinstance(c.entry, (Directory, File))]
    names = name.joliet(c.name for c in kept)
    return {c: ((names[c.name],), (names[c.name] + ("" if c.is_directory else ";1")).encode("utf-16-be")) for c in kept}


PLAIN = Form(_plain, rock_ridge=True)
JOLIET = Form(_joliet, rock_ridge=False)


@dataclass(frozen=True, slots=True)
class _Record:
    """A directory record (9.1)."""

    identifier: bytes
    sector: int
    length: int
    flags: int
    date: bytes
    area: rock_ridge.Area = rock_ridge.Area(b"")

    def encode(self, continued: bytes = b"") -> bytes:
        """The record; *continued* says where its system use area goes on."""
        head = b"\0" + both32(self.sector) + both32(self.length) + self.date + bytes((self.flags, 0, 0)) + both16(1)
        body = head + bytes((len(self.identifier),)) + self.identifier
        # The system use area begins at an even place, and the record ends at one.
        body += b"\0" * ((len(body) + 1) % 2) + self.area.inside + continued
        body += b"\0" * ((len(body) + 1) % 2)
        return bytes((len(body) + 1,)) + body


@dataclass(frozen=True, slots=True)
class _Zone:
    """The continuation areas of a directory, behind its records."""

    sector: int
    data: bytearray = field(default_factory=bytearray)

    def add(self, areas: tuple[bytes, ...]) -> bytes:
        """Put *areas* there, none across sectors; the entry that leads to the first of them."""
        leading = b""
        # From the last one, as each says where the next is.
        for area in reversed(areas):
            whole = area + leading
            if len(self.data) % SECTOR + len(whole) > SECTOR:
                self.data.extend(b"\0" * (-len(self.data) % SECTOR))
            at = len(self.data)
            self.data.extend(whole)
            leading = rock_ridge.continuation(self.sector + at // SECTOR, at % SECTOR, len(whole))
        return leading


class Hierarchy:
    """The directories of a tree in one form, at sector 0 until they are placed."""

    def __init__(self, root: Node, form: Form) -> None:
        self._form = form
        self._root = root
        self._identifiers: dict[Node, bytes] = {root: SELF}
        self._children: dict[Node, list[Node]] = {}
        self._directories = list(self._ordered())
        if len(self._directories) > MAX_DIRECTORIES:
            raise ValueError(f"{len(self._directories)} directories are more than a path table can number")
        self._sectors: dict[Node, int] = dict.fromkeys(self._directories, 0)
        self._sizes: dict[Node, int] = dict.fromkeys(self._directories, 0)
        # Sizes do not depend on places: the directories are made once with all of them 0.
        made = {d: self._extent(d) for d in self._directories}
        self._sizes = {d: records for d, (records, _) in made.items()}
        self._whole = {d: len(data) for d, (_, data) in made.items()}
        self.table_size = len(self.table("<"))

    def _ordered(self) -> Iterator[Node]:
        """Directories in the order of the path table: by level, then by the parent's place, then by identifier."""
        found = [self._root]
        for directory in found:
            yield directory
            identified = self._form.identify(directory.children)
            children = sorted(identified, key=lambda c: identified[c][0])
            self._children[directory] = children
            self._identifiers.update((c, identified[c][1]) for c in children)
            found += [c for c in children if c.is_directory]

    def place(self, sector: int) -> int:
        """Put the directories at *sector* and after; the first sector behind them."""
        for directory in self._directories:
            self._sectors[directory] = sector
            sector += sectors(self._whole[directory])
        return sector

    def extents(self) -> Iterator[bytes]:
        """The directories' bytes in their order, with the places that are known by now."""
        return (self._extent(d)[1] for d in self._directories)

    def table(self, order: str) -> bytes:
        """The path table in a byte order: `<` or `>`."""
        numbers = {d: i for i, d in enumerate(self._directories, 1)}
        out = bytearray()
        for directory in self._directories:
            identifier = self._identifiers[directory]
            parent = numbers[directory.up]
            out += struct.pack(order + "BBIH", len(identifier), 0, self._sectors[directory], parent) + identifier
            out += b"\0" * (len(identifier) % 2)
        return bytes(out)

    def root_record(self) -> bytes:
        """The root's record as a volume descriptor has it: without a system use area."""
        return replace(self._records(self._root, SELF)[0], area=rock_ridge.Area(b"")).encode()

    def _extent(self, directory: Node) -> tuple[int, bytes]:
        """How many bytes the directory's records have; and they, with the continuation areas behind them."""
        records = [*self._records(directory, SELF), *self._records(directory.up, PARENT)]
        for child in self._children[directory]:
            records += self._records(child, self._identifiers[child])
        # A record's size does not depend on where its area goes on.
        sizes = [len(r.encode(bytes(rock_ridge.CONTINUATION) if r.area.outside else b"")) for r in records]
        spots, end = [], 0
        for size in sizes:
            end += -end % SECTOR if end % SECTOR + size > SECTOR else 0
            spots.append(end)
            end += size
        out = bytearray(sectors(end) * SECTOR)
        zone = _Zone(self._sectors[directory] + sectors(end))
        for record, spot, size in zip(records, spots, sizes, strict=True):
            out[spot : spot + size] = record.encode(zone.add(record.area.outside))
        return len(out), bytes(out) + padded(bytes(zone.data))

    def _records(self, node: Node, identifier: bytes) -> list[_Record]:
        """A node's records: one, or one for each section of its data."""
        room = rock_ridge.RECORD - HEAD - len(identifier) - (len(identifier) + 1) % 2
        area = rock_ridge.area(self._system_use(node, identifier), room)
        date = short_date(node.entry.mtime)
        if node.is_directory:
            return [_Record(identifier, self._sectors[node], self._sizes[node], FOLDER, date, area)]
        sections = list(node.data.sections()) if node.data else [(0, 0)]
        last = len(sections) - 1
        return [
            _Record(identifier, sector, size, 0 if i == last else MORE_SECTIONS, date, area)
            for i, (sector, size) in enumerate(sections)
        ]

    def _system_use(self, node: Node, identifier: bytes) -> list[bytes]:
        if not self._form.rock_ridge:
            return []
        use = rock_ridge.attributes(node.entry, node.links, node.serial)
        if identifier in (SELF, PARENT):
            return [*rock_ridge.starting(), *use] if node is self._root and identifier == SELF else use
        target = rock_ridge.target(node.entry.target) if isinstance(node.entry, Symlink) else []
        return [*use, *rock_ridge.name(node.name), *target]
