"""EROFS images without compression: read-only, mounted by Linux, mapped into memory as they are.

Subset: blocks of 4 KiB; files in one row of blocks with the end behind the inode, or in chunks of 1 MiB when they have
holes; contents that are the same bytes stored once; hard links, symbolic links, devices, fifos, sockets; extended
attributes, shared ones and ACLs included; superblock checksum. Not written: compression, extra devices, long name
prefixes for attributes, fragments. Why no compression: docs/decisions/0010-read-only-roots.md.

Source: the kernel's Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finback.codec.crc32c import register
from finback.codec.duplicates import firsts
from finback.codec.erofs.directory import Listing
from finback.codec.erofs.holes import CHUNK, holes
from finback.codec.erofs.inode import Inode, inode
from finback.codec.erofs.layout import BLOCK, BLOCK_BITS, NOWHERE, SLOT, SUPERBLOCK, Room, blocks
from finback.codec.erofs.xattr import Xattrs
from finback.tree.content import Content, Inline, Reader, part
from finback.tree.entry import AnyEntry, Directory, File
from finback.tree.node import Node, inodes, root

MAGIC = 0xE0F5E1E2
CHECKSUM, MTIME = 1, 2
CHUNKED_FILES = 4
ROOT_LIMIT = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the superblock says."""

    mtime: int = 0
    """When the image was made, in seconds since 1970."""
    uuid: bytes = bytes(16)
    label: bytes = b""
    """At most 15 bytes."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file's blocks are: from `start` in a row, or chunk by chunk."""

    start: int = NOWHERE
    chunks: tuple[int, ...] = ()


def encode(entries: Iterable[AnyEntry], read: Reader, settings: Settings = Settings()) -> Iterator[bytes]:
    """The image of *entries* in chunks.

    Raises:
        ValueError: the tree or the settings are not such as the format can hold.

    """
    if len(settings.uuid) != 16 or len(settings.label) > 15 or not 0 <= settings.mtime < 1 << 63:
        raise ValueError("a UUID has 16 bytes, a label at most 15, and the time is not negative")
    return _Writer(entries, read, settings).write()


class _Writer:
    """The image in the making: everything but data is laid out before the first byte is written."""

    def __init__(self, entries: Iterable[AnyEntry], read: Reader, settings: Settings) -> None:
        self._read = read
        self._settings = settings
        nodes = list(inodes(root(entries)))
        self._xattrs = Xattrs(n.entry for n in nodes)
        self._same = firsts((n.entry.content for n in nodes if isinstance(n.entry, File)), read)
        self._holes = {c: holes(c, read) for c in dict.fromkeys(self._same.values())}
        self._listings = {n: Listing(n) for n in nodes if isinstance(n.entry, Directory)}
        self._inodes = [self._inode(n) for n in nodes]
        room = Room()
        # In order, so that the root comes first: its number has 16 bits.
        self._offsets = [room.take(i.length) for i in self._inodes]
        self._numbers = {n: offset // SLOT for n, offset in zip(nodes, self._offsets, strict=True)}
        self._meta_blocks = blocks(room.end)
        self._data: list[tuple[Inode, Content | None]] = []
        """What is in the data area, in order."""
        self.end = self._meta_blocks + blocks(len(self._xattrs.shared))
        self._places = self._lay()
        if self.end >= NOWHERE:
            raise ValueError("the tree is too large for EROFS")

    def write(self) -> Iterator[bytes]:
        yield from self._metadata()
        yield _padded(self._xattrs.shared)
        for item, content in self._data:
            if content is None:
                yield _padded(self._listings[item.node].encode(0, item.blocks, self._numbers))
            else:
                yield from self._file(item, content)

    def _inode(self, node: Node) -> Inode:
        gaps: tuple[bool, ...] = ()
        if isinstance(node.entry, File):
            size = node.entry.content.size
            gaps = self._holes[self._same[node.entry.content]]
        elif isinstance(node.entry, Directory):
            size = self._listings[node].size
        else:
            size = len(node.target)
        return inode(node, size, self._xattrs.body(node.entry), self._settings.mtime, gaps)

    def _lay(self) -> list[_Place]:
        """Give every inode's data its blocks."""
        places: list[_Place] = []
        known: dict[tuple[Content, int], _Place] = {}
        for item in self._inodes:
            if not item.blocks:
                places.append(_Place())
                continue
            content = self._content(item)
            # Two files of the same bytes differ in blocks when the end of one does not fit behind its inode.
            key = None if isinstance(item.node.entry, Directory) else (content, item.blocks)
            place = known.get(key) if key else None
            if place is None:
                place = self._chunks(item) if item.holes else _Place(self._take(item.blocks))
                self._data.append((item, None if isinstance(item.node.entry, Directory) else content))
                if key:
                    known[key] = place
            places.append(place)
        return places

    def _content(self, item: Inode) -> Content:
        """The data of a file, or of a link."""
        entry = item.node.entry
        return self._same[entry.content] if isinstance(entry, File) else Inline(item.node.target)

    def _take(self, count: int) -> int:
        start = self.end
        self.end += count
        return start

    def _chunks(self, item: Inode) -> _Place:
        sizes = (blocks(min(CHUNK, item.size - CHUNK * n)) for n in range(len(item.holes)))
        return _Place(chunks=tuple(NOWHERE if gap else self._take(s) for gap, s in zip(item.holes, sizes, strict=True)))

    def _metadata(self) -> Iterator[bytes]:
        """The superblock and the metadata area, in the order of the places."""
        at = BLOCK
        head = bytearray()
        for offset, item, place in sorted(zip(self._offsets, self._inodes, self._places, strict=True), key=_offset):
            data = item.encode(place.start) + self._behind(item, place)
            if offset < BLOCK:
                head += bytes(offset - len(head) - SUPERBLOCK if head else offset - SUPERBLOCK)
                head += data
                continue
            if head:
                yield self._superblock(bytes(head))
                head.clear()
            yield bytes(offset - at) + data
            at = offset + len(data)
        if head:
            yield self._superblock(bytes(head))
        yield bytes(self._meta_blocks * BLOCK - at)

    def _behind(self, item: Inode, place: _Place) -> bytes:
        if item.holes:
            return struct.pack(f"<{len(place.chunks)}I", *place.chunks)
        if not item.tail:
            return b""
        if isinstance(item.node.entry, Directory):
            return self._listings[item.node].encode(item.blocks, item.blocks + 1, self._numbers)
        tail = b"".join(self._read(part(self._content(item), item.size - item.tail, item.tail)))
        _check(tail, item.tail)
        return tail

    def _superblock(self, rest: bytes) -> bytes:
        """The first block; *rest* are inodes in it, with zeros where the superblock goes."""
        settings = self._settings
        incompatible = CHUNKED_FILES if any(i.holes for i in self._inodes) else 0
        number = self._offsets[0] // SLOT
        if number > ROOT_LIMIT:
            raise ValueError("the root's inode is too far from the beginning for EROFS")
        fields = (
            *(CHECKSUM | MTIME, BLOCK_BITS, 0, number, len(self._inodes), settings.mtime, 0, self.end, 0),
            *(self._meta_blocks, settings.uuid, settings.label, incompatible, 0, 0, 0, 0, 0, 0, 0, 0),
        )
        form = "<IIIBBHQQIIII16s16sIHHHBBIQB23x"
        block = (struct.pack(form, MAGIC, 0, *fields) + rest[128:]).ljust(BLOCK - SUPERBLOCK, b"\0")
        checked = struct.pack(form, MAGIC, register(block), *fields) + block[128:]
        return bytes(SUPERBLOCK) + checked

    def _file(self, item: Inode, content: Content) -> Iterator[bytes]:
        if not item.holes:
            yield from self._stretch(content, 0, item.size - item.tail)
            return
        for number, gap in enumerate(item.holes):
            if not gap:
                yield from self._stretch(content, CHUNK * number, min(CHUNK, item.size - CHUNK * number))

    def _stretch(self, content: Content, start: int, size: int) -> Iterator[bytes]:
        """*size* bytes of a file, and zeros to the end of a block."""
        given = 0
        for chunk in self._read(part(content, start, size)):
            given += len(chunk)
            yield bytes(chunk)
        if given != size:
            raise ValueError(f"a content of {content.size} bytes gave fewer")
        if size % BLOCK:
            yield bytes(-size % BLOCK)


def _offset(item: tuple[int, Inode, _Place]) -> int:
    return item[0]


def _check(data: bytes, size: int) -> None:
    if len(data) != size:
        raise ValueError(f"a content of {size} bytes gave {len(data)}")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)
