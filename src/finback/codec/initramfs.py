"""What an initramfs takes once it is unpacked, read as the kernel reads it: archives in a row, each compressed or not.

Subset: gzip, zstd and xz. Nothing is kept, so that any size can be measured.

Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst; init/initramfs.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from finback.codec.decompress import CHUNK, Read, detect, stream

PAGE = 4096
HEADER = 110
MAGICS = (b"070701", b"070702")
MAGIC_SIZE = 6


def unpacked(read: Read, limit: int) -> int:
    """Bytes that the files take, in whole pages. The count ends once it is above *limit*.

    Raises:
        ValueError: it is no initramfs that can be read.

    """
    outer = _Window(iter(lambda: read(CHUNK), b""))
    total = 0
    while total <= limit and outer.skip_zeros():
        if outer.peek(MAGIC_SIZE) in MAGICS:
            total += _member(outer)
            continue
        inner = _Window(_stream(outer))
        while total <= limit and inner.skip_zeros():
            total += _member(inner)
    return total


def _member(window: _Window) -> int:
    """Pass over one member of an archive: the bytes that it takes."""
    header = window.peek(HEADER)
    if header[:MAGIC_SIZE] not in MAGICS or len(header) < HEADER:
        raise ValueError("holds something that is no archive")
    size, name = (int(header[at : at + 8], 16) for at in (54, 94))
    window.skip(HEADER + name + (-(HEADER + name) % 4) + size)
    return -(-size // PAGE) * PAGE


def _stream(outer: _Window) -> Iterator[bytes]:
    """One compressed stream; what follows it stays in *outer*."""
    suffix = detect(outer.peek(MAGIC_SIZE))
    if not suffix:
        raise ValueError("holds something that is neither an archive nor compressed with gzip, zstd or xz")
    outer.put_back((yield from stream(lambda _: outer.chunk(), suffix)))


class _Window:
    """Bytes that are read once, a part at a time."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._data = b""
        self._at = 0

    def peek(self, size: int) -> bytes:
        """The next *size* bytes, fewer at the end."""
        while len(self._data) - self._at < size:
            found = next(self._chunks, None)
            if found is None:
                break
            self._data, self._at = self._data[self._at :] + found, 0
        return self._data[self._at : self._at + size]

    def skip(self, size: int) -> None:
        """Pass over *size* bytes."""
        while size:
            if not self.peek(1):
                raise ValueError("is cut short")
            step = min(size, len(self._data) - self._at)
            self._at += step
            size -= step

    def skip_zeros(self) -> bool:
        """Pass over zeros; whether anything follows."""
        while self.peek(1):
            rest = len(self._data) - self._at
            left = len(self._data[self._at :].lstrip(b"\0")) if self._data[self._at] == 0 else rest
            self._at += rest - left
            if left:
                return True
        return False

    def chunk(self) -> bytes:
        """Some bytes; none at the end."""
        self.peek(1)
        data, self._data = self._data[self._at :], b""
        self._at = 0
        return data

    def put_back(self, data: bytes) -> None:
        """Have *data* read next."""
        self._data, self._at = data + self._data[self._at :], 0
