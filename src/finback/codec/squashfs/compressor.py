"""The compressors that SquashFS names, each as a function from a block to bytes.

A block is compressed by itself, with a context of its own, so that its bytes depend on nothing but the block, the
level and the library. LZO is left out: no library for it is kept up.

Source: Documentation/filesystems/squashfs.rst; squashfs_fs.h in the kernel for the numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from finback.codec import lz4

ZLIB, XZ, LZ4, ZSTD = 1, 4, 5, 6
# A block of metadata that is not compressed.
METADATA = 1 << 15
GZIP_LEVEL = 9
ZSTD_LEVEL = 3
XZ_PRESET = 6


@dataclass(frozen=True, slots=True)
class Compressor:
    """A compressor and its number in the superblock."""

    number: int
    compress: Callable[[bytes], bytes | None]
    """None: this compressor leaves all blocks as they are."""
    options: bytes = b""
    """What stands behind the superblock, where the format asks for it."""

    def squeeze(self, block: bytes) -> tuple[bytes, bool]:
        """*block* as it is stored, and whether that is compressed: only when it saves something."""
        packed = self.compress(block)
        return (block, False) if packed is None or len(packed) >= len(block) else (packed, True)


def compressor(method: str, level: int | None, block_size: int) -> Compressor:
    """The compressor for `zstd`, `gzip`, `xz`, `lz4` or `none`; None is the method's default level.

    Raises:
        ValueError: unknown method or level.

    """
    limits = {"zstd": (1, 22), "gzip": (1, 9), "xz": (0, 9), "lz4": (1, lz4.TOP)}
    low, high = limits.get(method, (0, 0))
    if level is not None and not low <= level <= high:
        raise ValueError(f"level {level} of {method} is not between {low} and {high}")
    if method == "zstd":
        return _zstd(ZSTD_LEVEL if level is None else level)
    if method == "gzip":
        return _gzip(GZIP_LEVEL if level is None else level)
    if method == "xz":
        return _xz(XZ_PRESET if level is None else level, block_size)
    if method == "lz4":
        # A version, and whether it was made by LZ4 HC.
        options = struct.pack("<HII", METADATA | 8, 1, level is not None)
        return Compressor(LZ4, lambda block: lz4.compress(block, level), options)
    if method == "none":
        # A superblock names some compressor; zlib is the one that every reader has.
        return Compressor(ZLIB, lambda _: None)
    raise ValueError(f"unknown compression {method!r}")


def _gzip(level: int) -> Compressor:
    import zlib

    return Compressor(ZLIB, lambda block: zlib.compress(block, level))


def _zstd(level: int) -> Compressor:
    from finback.codec.compress import zstd_block

    return Compressor(ZSTD, lambda block: zstd_block(block, level))


def _xz(preset: int, block_size: int) -> Compressor:
    import lzma

    # The kernel allocates a dictionary of the block's size, and checks no other sum than CRC32.
    filters = [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": max(block_size, 8192)}]
    return Compressor(XZ, lambda block: lzma.compress(block, check=lzma.CHECK_CRC32, filters=filters))
