"""Where a file's bytes come from.

The tree never holds the bytes of large files: a Slice names a stretch of a stored blob, and whoever writes an archive
asks a Reader for it, chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from finback.ground.digest import Digest


@dataclass(frozen=True, slots=True)
class Inline:
    """Bytes held in memory: generated files, which are small."""

    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Slice:
    """`size` bytes from `offset` of the stored blob `blob`."""

    blob: Digest
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Hole:
    """`size` zero bytes that take no room where a file can have holes."""

    size: int


Content = Inline | Slice

Stretch = Inline | Slice | Hole
"""A part of a disk, or of a file on it."""

Reader = Callable[[Content], Iterable[bytes | memoryview]]
"""Gives the bytes of a content in chunks of at most 1 MiB."""


def read_inline(content: Content) -> Iterable[bytes]:
    """Read contents that need no store: for trees that are all Inline.

    Raises:
        TypeError: the content is a Slice.

    """
    if isinstance(content, Inline):
        return (content.data,)
    raise TypeError("a slice is read from a store")


def part(content: Content, offset: int, size: int) -> Content:
    """The *size* bytes of *content* from *offset*, which must lie in it."""
    if isinstance(content, Inline):
        return Inline(content.data[offset : offset + size])
    return Slice(content.blob, content.offset + offset, size)
