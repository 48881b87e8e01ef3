"""The compressors that EROFS names, and how much of a file goes into one stretch of blocks.

A stretch, a physical cluster, has a size at most, and shall be full: input is added until its compressed form fits just
so. Libraries give no such compression; the right length is found by trial, from the ratio of the stretch before.

Source: the kernel's fs/erofs/erofs_fs.h for the numbers; fs/erofs/decompressor*.c for what is accepted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from finback.codec import lz4
from finback.codec.compress import zstd_block
from finback.codec.erofs.layout import BLOCK, blocks

LZ4, DEFLATE, ZSTD = 0, 2, 3
WINDOW_BITS = 15
GZIP_LEVEL = 9
ZSTD_LEVEL = 3
# Blocks in the largest stretch. LZ4's is mkfs.erofs' own; the others need more to work on.
CLUSTERS = {"lz4": 1, "gzip": 16, "zstd": 16}
# Files are cut into pieces of this size, which are compressed at the same time.
SEGMENT_BITS = 20
SEGMENT = 1 << SEGMENT_BITS
# A stretch is full enough with 31/32 of its bytes; after so many trials the best is taken.
ENOUGH = 31, 32
TRIALS = 5
# Blocks that are stored as they are before compression is tried again grow to this many.
RAW_LIMIT = 16


class Extent(NamedTuple):
    """A part of a file that is stored by itself."""

    length: int
    """Bytes of the file."""
    blocks: int
    raw: bool
    """Stored as it is, in one block."""


@dataclass(frozen=True, slots=True)
class Compressor:
    """A compressor, its number, what the superblock says of it, and the blocks of its largest stretch."""

    number: int
    settings: bytes
    cluster: int
    compress: Callable[[bytes], bytes]

    def pack(self, data: bytes) -> tuple[bytes, list[Extent]]:
        """*data*, whole blocks but for the end of a file, as it is stored, and its parts in their order."""
        out: list[bytes] = []
        extents: list[Extent] = []
        at, guess, streak = 0, 2 * self.cluster * BLOCK, 1
        while at < len(data):
            length, packed = self._fill(data, at, guess)
            if packed is not None:
                count = blocks(len(packed))
                # Zeros come first; a reader passes them over.
                out.append(packed.rjust(count * BLOCK, b"\0"))
                extents.append(Extent(length, count, raw=False))
                at, guess, streak = at + length, length, 1
                continue
            for _ in range(self.cluster * streak):
                piece = data[at : at + BLOCK]
                if piece:
                    out.append(piece.ljust(BLOCK, b"\0"))
                    extents.append(Extent(len(piece), 1, raw=True))
                    at += len(piece)
            guess, streak = 2 * self.cluster * BLOCK, min(2 * streak, RAW_LIMIT)
        return b"".join(out), extents

    def _fill(self, data: bytes, at: int, guess: int) -> tuple[int, bytes | None]:
        """How many bytes from *at* fill a stretch, and these compressed; None: that saves no block."""
        room, left = self.cluster * BLOCK, len(data) - at
        if left <= BLOCK:
            return left, None
        # `low` bytes fit, `high` do not.
        low, high, best = 0, left + 1, None
        length = min(guess, left)
        for _ in range(TRIALS):
            packed = self.compress(data[at : at + length])
            size = len(packed)
            if size <= room:
                low, best = length, packed
                if length == left or size * ENOUGH[1] >= room * ENOUGH[0]:
                    break
            else:
                high = length
            # Just below what the ratio promises, and between what is known.
            length = length * (room - room // 128) // size
            length = min(max(length, low + 1), high - 1, left)
            if high - low <= 1:
                break
        if best is None or best[0] == 0 or blocks(len(best)) * BLOCK >= low:
            return low, None
        return low, best


def compressor(method: str, level: int | None) -> Compressor:
    """The compressor for `lz4`, `gzip` (Deflate) or `zstd`; None is the method's default level.

    Raises:
        ValueError: unknown method or level.

    """
    limits = {"lz4": (1, lz4.TOP), "gzip": (1, 9), "zstd": (1, 22)}
    if method not in limits:
        raise ValueError(f"EROFS has no compression {method!r}")
    low, high = limits[method]
    if level is not None and not low <= level <= high:
        raise ValueError(f"level {level} of {method} is not between {low} and {high}")
    cluster = CLUSTERS[method]
    if method == "lz4":
        return Compressor(LZ4, struct.pack("<HH10x", 0xFFFF, cluster), cluster, lambda data: lz4.compress(data, level))
    if method == "gzip":
        settings = struct.pack("<B5x", WINDOW_BITS)
        return Compressor(DEFLATE, settings, cluster, _deflate(GZIP_LEVEL if level is None else level))
    # The window is given by its exponent above 10; no piece is larger than that.
    settings = struct.pack("<BB4x", 0, SEGMENT_BITS - 10)
    chosen = ZSTD_LEVEL if level is None else level
    return Compressor(ZSTD, settings, cluster, lambda data: zstd_block(data, chosen))


def _deflate(level: int) -> Callable[[bytes], bytes]:
    import zlib

    def compress(data: bytes) -> bytes:
        packed = zlib.compress(data, level, wbits=-WINDOW_BITS)
        # What begins with a zero would be taken for shorter than it is: it must not look as if it saved anything.
        return packed if packed[0] else data

    return compress
