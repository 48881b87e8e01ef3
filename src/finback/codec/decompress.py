"""Streams decompressed a chunk at a time: memory is what the format's window needs, whatever comes out.

Subset: xz (.xz file format 1.2), gzip (RFC 1952) and zstd (RFC 8878) streams, one or several in a row. A window larger
than `WINDOW` is refused: `xz -9` has 64 MiB, and what asks for more asks for this machine's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Protocol

CHUNK = 1 << 18
RATIO = 200
"""Bytes that one compressed byte may stand for, beyond `LEAST`. Systems have 2 to 10; only bombs, and files of nothing
but zeros, come near what the formats can (gzip 1032, zstd and xz without a bound)."""
LEAST = 256 << 20
"""Bytes that any stream may unpack to."""
WINDOW = 80 << 20
SUFFIXES = ("", ".xz", ".gz", ".zst")

Read = Callable[[int], bytes]
"""Gives at most so many bytes; none at the end."""


class _Decompressor(Protocol):
    """What lzma's and zstd's decompressors have in common: at most *max_length* bytes come out of one call."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


_MAGIC = {b"\xfd7zXZ\0": ".xz", b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}


def detect(head: bytes) -> str:
    """The suffix (one of SUFFIXES) of a stream that begins with *head*."""
    return next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), "")


def reader(chunks: Iterable[bytes]) -> Read:
    """*chunks* to be read; a chunk may be larger than what is asked for."""
    left = (chunk for chunk in chunks if chunk)
    return lambda _: next(left, b"")


def decompress(read: Read, suffix: str, limit: int) -> Iterator[bytes]:
    """What *read* gives, decompressed as *suffix* says (one of SUFFIXES), at most *limit* bytes.

    What was given and what was read are counted on the way, so that a bomb is stopped when it has made `LEAST` bytes,
    or `RATIO` times what was read of it.

    Raises:
        ValueError: what is wrong with it, as a predicate ("is cut short"), at once or while it is read.

    """
    size = taken = 0

    def counted(wanted: int) -> bytes:
        nonlocal taken
        data = read(wanted)
        taken += len(data)
        return data

    for chunk in _opened(counted, suffix):
        size += len(chunk)
        if size > limit:
            raise ValueError(f"unpacks to more than {limit} bytes")
        if suffix and size > max(LEAST, RATIO * taken):
            raise ValueError(f"unpacks to more than {LEAST} bytes, and to more than {RATIO} times its size")
        yield chunk


def stream(read: Read, suffix: str) -> Generator[bytes, None, bytes]:
    """The first stream that *read* gives, compressed as *suffix* says (one of SUFFIXES but none); returns what was read
    of that which follows.

    Raises:
        ValueError: what is wrong with it, as a predicate.

    """
    make, failures = _codec(suffix)
    return (yield from _one(read, read(CHUNK), make(), failures))


def _opened(read: Read, suffix: str) -> Iterator[bytes]:
    if suffix == "":
        return iter(lambda: read(CHUNK), b"")
    return _pumped(read, *_codec(suffix))


def _codec(suffix: str) -> tuple[Callable[[], _Decompressor], type[Exception]]:
    import lzma
    import zlib

    if suffix == ".xz":
        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=WINDOW), lzma.LZMAError
    if suffix == ".gz":
        return _Gunzip, zlib.error
    if suffix == ".zst":
        from finback.codec.compress import zstd_decompressor

        return zstd_decompressor, Exception  # its error class has two homes, by Python's version
    raise ValueError(f"has the unknown compression {suffix}")


def _pumped(read: Read, make: Callable[[], _Decompressor], failures: type[Exception]) -> Iterator[bytes]:
    """What *read* gives, which is one compressed stream or several, one after the other."""
    data = read(CHUNK)
    if not data:
        raise ValueError("is cut short")
    while data:
        data = yield from _one(read, data, make(), failures)
        data = data or read(CHUNK)


def _one(
    read: Read, data: bytes, decompressor: _Decompressor, failures: type[Exception]
) -> Generator[bytes, None, bytes]:
    """One stream, which begins with *data*; returns what follows of what was read."""
    while not decompressor.eof:
        if not data and decompressor.needs_input:
            data = read(CHUNK)
            if not data:
                raise ValueError("is cut short")
        try:
            out = decompressor.decompress(data, CHUNK)
        except failures as failure:
            raise ValueError(f"is damaged: {failure}") from None
        data = b""
        if out:
            yield out
    return decompressor.unused_data


class _Gunzip:
    """zlib's decompressor with the interface of lzma's."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max(max_length, 0))
