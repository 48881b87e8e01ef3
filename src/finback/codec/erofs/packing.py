"""Compressed files: their data, and the index that leads from places in a file to blocks.

Files are cut into pieces that threads compress, in the order of the files; a piece depends on nothing else, so that the
bytes are the same for any number of threads. The index has 8 bytes for each block of the file, the "full" form.

Source: struct z_erofs_map_header and z_erofs_lcluster_index in fs/erofs/erofs_fs.h; fs/erofs/zmap.c.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from finback.codec.cut import cut
from finback.codec.erofs.compressor import SEGMENT, Compressor, Extent
from finback.codec.erofs.layout import BLOCK
from finback.tree.content import Content, Reader

RAW, HEAD, REST = 0, 1, 2
"""What an entry of the index says: here begins something raw, something compressed, nothing."""
BIG_CLUSTERS = 2
# In the distance to the head: it is not that, but the number of blocks.
COUNT = 1 << 11
AHEAD = 3


@dataclass(frozen=True, slots=True)
class Packed:
    """A file in the data area."""

    start: int
    """The first of its blocks."""
    blocks: int
    index: bytes
    """Empty: the blocks are the file as it is."""


class Index:
    """The index of a file in the making."""

    def __init__(self, compressor: Compressor, start: int) -> None:
        self.start = start
        self.block = start
        self.raw = True
        """Nothing is compressed so far."""
        self._number = compressor.number
        self._counted = compressor.cluster > 1
        self._entries = bytearray()
        self._offset = 0

    def add(self, extent: Extent) -> None:
        """Note what comes next in the file."""
        kind = RAW if extent.raw else HEAD
        self.raw = self.raw and extent.raw
        self._entries += struct.pack("<HHI", kind, self._offset, self.block)
        ahead = (self._offset + extent.length) // BLOCK
        for distance in range(1, ahead):
            back = extent.blocks | COUNT if self._counted and distance == 1 else distance
            self._entries += struct.pack("<HHHH", REST, self._offset, back, ahead - distance)
        # What ends within the block where it begins is the end of the file.
        self._offset = (self._offset + extent.length) % BLOCK if ahead else 0
        self.block += extent.blocks

    def finish(self) -> Packed:
        """The file, all of which has been added."""
        count = self.block - self.start
        if self.raw:
            return Packed(self.start, count, b"")
        if self._offset:
            self._entries += struct.pack("<HHI", RAW, self._offset, 0)
        # Eight bytes of nothing stand between the header and the entries.
        head = struct.pack("<IHBB8x", 0, BIG_CLUSTERS if self._counted else 0, self._number * 0x11, 0)
        return Packed(self.start, count, head + bytes(self._entries))


class Packing:
    """The data area for compressed files, from block *start* of the image."""

    def __init__(self, compressor: Compressor, start: int) -> None:
        self.end = start
        self.files: dict[Content, Packed] = {}
        self._compressor = compressor
        self._index: Index | None = None

    def pack(self, contents: Iterable[Content], read: Reader, workers: int) -> Iterator[bytes]:
        """The bytes of the area. *contents* have no two that are the same.

        Raises:
            ValueError: a content has not the size that it says.

        """
        waiting: deque[tuple[Content, int, Future[tuple[bytes, list[Extent]]]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for content, left, piece in _pieces(contents, read):
                waiting.append((content, left, pool.submit(self._compressor.pack, piece)))
                if len(waiting) >= AHEAD * workers:
                    yield self._placed(*waiting.popleft())
            while waiting:
                yield self._placed(*waiting.popleft())

    def _placed(self, content: Content, left: int, future: Future[tuple[bytes, list[Extent]]]) -> bytes:
        """A piece as it is stored, now that all before it are; *left* bytes of its file come after."""
        stored, extents = future.result()
        if self._index is None:
            self._index = Index(self._compressor, self.end)
        for extent in extents:
            self._index.add(extent)
        self.end = self._index.block
        if not left:
            self.files[content] = self._index.finish()
            self._index = None
        return stored


def _pieces(contents: Iterable[Content], read: Reader) -> Iterator[tuple[Content, int, bytes]]:
    """The pieces of all contents, each with how much of its content is left after it."""
    for content in contents:
        left = content.size
        for piece in cut(read(content), SEGMENT):
            left -= len(piece)
            yield content, left, piece
        if left:
            raise ValueError(f"a content of {content.size} bytes gave {content.size - left}")
