"""EROFS images: read-only, mounted by Linux; mapped into memory as they are, or compressed.

Subset: blocks of 4 KiB; files in one row of blocks with the end behind the inode, in chunks of 1 MiB when they have
holes, or compressed by LZ4, Deflate or zstd with an index of the full form; contents that are the same bytes stored
once; hard links, symbolic links, devices, fifos, sockets; extended attributes, shared ones and ACLs included;
superblock checksum. Not written: LZMA, the compact index, compressed ends behind the inode, fragments, extra devices,
long name prefixes for attributes.

An image without compression is laid out before its first byte is written. With compression the data comes first, the
metadata behind it, and the first block, which says where that is, is known last.

Source: the kernel's Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass

from finback.codec.crc32c import register
from finback.codec.duplicates import firsts
from finback.codec.erofs.compressor import Compressor, compressor
from finback.codec.erofs.directory import Listing
from finback.codec.erofs.holes import CHUNK, holes
from finback.codec.erofs.inode import Inode, inode
from finback.codec.erofs.layout import BLOCK, BLOCK_BITS, NOWHERE, SLOT, SUPERBLOCK, SUPERBLOCK_SIZE, Room, blocks
from finback.codec.erofs.packing import Packed, Packing
from finback.codec.erofs.xattr import Xattrs
from finback.tree.content import Content, Inline, Reader, part
from finback.tree.entry import AnyEntry, Directory, File
from finback.tree.node import Node, inodes, root

HEAD = BLOCK
"""Bytes in the first block, which an image with compression has written last."""
MAGIC = 0xE0F5E1E2
CHECKSUM, MTIME = 1, 2
# Compressed data stands at the end of its blocks; the superblock describes the compressors.
PADDED, DESCRIBED, CHUNKED_FILES = 1, 2, 4
ROOT_LIMIT = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the superblock says."""

    mtime: int = 0
    """When the image was made, in seconds since 1970."""
    uuid: bytes = bytes(16)
    label: bytes = b""
    """At most 15 bytes."""
    method: str = "lz4"
    """Of `compressed`: `lz4`, `gzip` (Deflate, Linux 6.6) or `zstd` (Linux 6.10)."""
    level: int | None = None
    """None: the method's default."""
    workers: int = 0
    """Threads that compress. 0: one for each processor."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a file's blocks are: from `start` in a row, or chunk by chunk."""

    start: int = NOWHERE
    chunks: tuple[int, ...] = ()


def encode(entries: Iterable[AnyEntry], read: Reader, settings: Settings = Settings()) -> Iterator[bytes]:
    """The image of *entries* in chunks, without compression.

    Raises:
        ValueError: the tree or the settings are not such as the format can hold.

    """
    _check_settings(settings)
    writer = _Writer(entries, read, settings)
    writer.lay({}, 0)
    return writer.write()


def compressed(
    entries: Iterable[AnyEntry], read: Reader, settings: Settings = Settings()
) -> Generator[bytes, None, bytes]:
    """The image of *entries* in chunks, without its first HEAD bytes: these are what is returned.

    Raises:
        ValueError: the tree or the settings are not such as the format can hold.

    """
    _check_settings(settings)
    chosen = compressor(settings.method, settings.level)
    writer = _Writer(entries, read, settings)
    packing = Packing(chosen, 1)
    yield from packing.pack(writer.compressible(), read, settings.workers or os.cpu_count() or 1)
    writer.lay(packing.files, packing.end)
    yield from writer.write()
    return writer.superblock(b"", chosen)


def _check_settings(settings: Settings) -> None:
    if len(settings.uuid) != 16 or len(settings.label) > 15 or not 0 <= settings.mtime < 1 << 63:
        raise ValueError("a UUID has 16 bytes, a label at most 15, and the time is not negative")


class _Writer:
    """The image in the making."""

    def __init__(self, entries: Iterable[AnyEntry], read: Reader, settings: Settings) -> None:
        self._read = read
        self._settings = settings
        self._nodes = list(inodes(root(entries)))
        self._xattrs = Xattrs(n.entry for n in self._nodes)
        self._same = firsts((n.entry.content for n in self._nodes if isinstance(n.entry, File)), read)
        self._holes = {c: holes(c, read) for c in dict.fromkeys(self._same.values())}
        self._listings = {n: Listing(n) for n in self._nodes if isinstance(n.entry, Directory)}
        self._packed: Mapping[Content, Packed] = {}
        self._data: list[tuple[Inode, Content | None]] = []
        """What is in the data area behind the metadata, in order."""

    def compressible(self) -> list[Content]:
        """What can become fewer blocks."""
        return [content for content, gaps in self._holes.items() if content.size > BLOCK and not gaps]

    def lay(self, packed: Mapping[Content, Packed], first: int) -> None:
        """Give everything that is not *packed* its place; the metadata begins at block *first*."""
        self._packed = packed
        self._first = first
        self._inodes = [self._inode(n) for n in self._nodes]
        room = Room()
        # In order, so that the root comes first: its number has 16 bits.
        self._offsets = [room.take(i.length) for i in self._inodes]
        self._numbers = {n: offset // SLOT for n, offset in zip(self._nodes, self._offsets, strict=True)}
        self._meta_blocks = blocks(room.end)
        self._behind_meta = first + self._meta_blocks
        self.end = self._behind_meta + blocks(len(self._xattrs.shared))
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
        data: tuple[bool, ...] | Packed | None = None
        if isinstance(node.entry, File):
            size = node.entry.content.size
            content = self._same[node.entry.content]
            data = self._packed.get(content) or self._holes[content]
        elif isinstance(node.entry, Directory):
            size = self._listings[node].size
        else:
            size = len(node.target)
        return inode(node, size, self._xattrs.body(node.entry), self._settings.mtime, data)

    def _lay(self) -> list[_Place]:
        """Give every inode's data its blocks."""
        places: list[_Place] = []
        known: dict[tuple[Content, int], _Place] = {}
        for item in self._inodes:
            if item.packed or not item.blocks:
                places.append(_Place(item.packed.start if item.packed else NOWHERE))
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
        """The metadata area; at the beginning of the image it has the superblock in it."""
        pieces = self._pieces()
        if not self._first:
            head = bytearray()
            while len(head) < BLOCK:
                head += next(pieces)
            yield self.superblock(bytes(head[SUPERBLOCK + SUPERBLOCK_SIZE : BLOCK]))
            yield bytes(head[BLOCK:])
        yield from pieces

    def _pieces(self) -> Iterator[bytes]:
        """All inodes with what stands behind them, in the order of their places, with zeros between."""
        at = 0
        for offset, item, place in sorted(zip(self._offsets, self._inodes, self._places, strict=True), key=_offset):
            data = item.encode(place.start) + self._behind(item, place)
            yield bytes(offset - at) + data
            at = offset + len(data)
        yield bytes(self._meta_blocks * BLOCK - at)

    def _behind(self, item: Inode, place: _Place) -> bytes:
        if item.holes:
            return struct.pack(f"<{len(place.chunks)}I", *place.chunks)
        if item.packed and item.packed.index:
            return bytes(item.index - item.head) + item.packed.index
        if not item.tail:
            return b""
        if isinstance(item.node.entry, Directory):
            return self._listings[item.node].encode(item.blocks, item.blocks + 1, self._numbers)
        tail = b"".join(self._read(part(self._content(item), item.size - item.tail, item.tail)))
        _check(tail, item.tail)
        return tail

    def superblock(self, rest: bytes, chosen: Compressor | None = None) -> bytes:
        """The first block; *rest* is what comes behind the superblock, *chosen* what the data is compressed with."""
        settings = self._settings
        incompatible = CHUNKED_FILES if any(i.holes for i in self._inodes) else 0
        methods = 0
        if chosen:
            incompatible |= PADDED | DESCRIBED
            methods = 1 << chosen.number
            rest = struct.pack("<H", len(chosen.settings)) + chosen.settings
        number = self._offsets[0] // SLOT
        if number > ROOT_LIMIT:
            raise ValueError("the root's inode is too far from the beginning for EROFS")
        fields = (
            *(CHECKSUM | MTIME, BLOCK_BITS, 0, number, len(self._inodes), settings.mtime, 0, self.end, self._first),
            *(self._behind_meta, settings.uuid, settings.label, incompatible, methods, 0, 0, 0, 0, 0, 0, 0),
        )
        form = "<IIIBBHQQIIII16s16sIHHHBBIQB23x"
        rest = rest.ljust(BLOCK - SUPERBLOCK - SUPERBLOCK_SIZE, b"\0")
        checked = struct.pack(form, MAGIC, register(struct.pack(form, MAGIC, 0, *fields) + rest), *fields)
        return bytes(SUPERBLOCK) + checked + rest

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
