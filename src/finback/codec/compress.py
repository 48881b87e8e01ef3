"""Streams compressed so that the same bytes give the same bytes, with any number of processors.

zstd frames (RFC 8878) are made with two workers always: libzstd cuts its input into jobs then, and the cut depends on
the level alone. The window of level 19, the highest, is 8 MiB; the kernel accepts up to 128 MiB in an initramfs. gzip
members (RFC 1952) carry no name and no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

WORKERS = 2
GZIP_LEVEL = 6
ZSTD_TOP = 19
# Pieces below this are gathered: a call into a compressor costs more than a copy.
GATHER = 1 << 18

Chunk = bytes | memoryview


def version(method: str) -> str:
    """The library that *method* uses and its version, on which compressed bytes depend.

    Raises:
        ValueError: unknown method.

    """
    if method == "zstd":
        return f"libzstd {_zstd().zstd_version}"
    if method == "gzip":
        import zlib

        return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    if method == "lz4":
        from finback.codec import lz4

        return lz4.version()
    if method == "none":
        return ""
    raise ValueError(f"unknown compression {method!r}")


def compress(chunks: Iterable[Chunk], method: str, level: int | None = None) -> Iterator[bytes]:
    """*chunks* compressed by `zstd`, `gzip` or `none`; None is the method's default level.

    Raises:
        ValueError: unknown method, or a level that the kernel might not unpack.

    """
    if method == "none":
        return (bytes(c) for c in chunks)
    if method == "gzip":
        import zlib

        return _drive(zlib.compressobj(GZIP_LEVEL if level is None else level, wbits=31), chunks)
    if method == "zstd":
        if level is not None and not 1 <= level <= ZSTD_TOP:
            raise ValueError(f"level {level} of zstd is not between 1 and {ZSTD_TOP}")
        zstd = _zstd()
        parameter = zstd.CompressionParameter
        options = {
            parameter.compression_level: zstd.COMPRESSION_LEVEL_DEFAULT if level is None else level,
            parameter.nb_workers: WORKERS,
            parameter.checksum_flag: 0,
        }
        return _drive(zstd.ZstdCompressor(options=options), chunks)
    raise ValueError(f"unknown compression {method!r}")


def _drive(compressor: Any, chunks: Iterable[Chunk]) -> Iterator[bytes]:
    for piece in _gathered(chunks):
        out = compressor.compress(piece)
        if out:
            yield out
    yield compressor.flush()


def _gathered(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Large chunks as they are, small ones together."""
    small: list[Chunk] = []
    held = 0
    for chunk in chunks:
        large = len(chunk) >= GATHER
        if not large:
            small.append(chunk)
            held += len(chunk)
        if small and (large or held >= GATHER):
            yield b"".join(small)
            small.clear()
            held = 0
        if large:
            yield chunk
    if small:
        yield b"".join(small)


def zstd_block(block: bytes, level: int) -> bytes:
    """One frame of *block*, made in one go by this thread."""
    return bytes(_zstd().compress(block, level))


def zstd_decompressor() -> Any:
    """A decompressor of one zstd frame, with the interface of lzma's."""
    return _zstd().ZstdDecompressor()


def _zstd() -> Any:
    import sys

    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
