"""Files with holes: chunks of zeros, which take no room.

A chunk is read whole only when its beginning is zero, so that looking for holes costs next to nothing where there are
none.
"""

from __future__ import annotations

from finback.codec.erofs.layout import BLOCK, BLOCK_BITS
from finback.tree.content import Content, Reader, part

CHUNK_BITS = 20
CHUNK = 1 << CHUNK_BITS
FORMAT = CHUNK_BITS - BLOCK_BITS
"""What the inode says of its chunks: their size, and a map of plain block numbers."""
_ZEROS = bytes(CHUNK)


def holes(content: Content, read: Reader) -> tuple[bool, ...]:
    """Which chunks of *content* are holes; empty when none is."""
    if content.size < CHUNK:
        return ()
    found = tuple(_zero(content, at, read) for at in range(0, content.size, CHUNK))
    return found if any(found) else ()


def _zero(content: Content, start: int, read: Reader) -> bool:
    size = min(CHUNK, content.size - start)
    for length in (min(size, BLOCK), size):
        at = 0
        for chunk in read(part(content, start, length)):
            if bytes(chunk) != _ZEROS[: len(chunk)]:
                return False
            at += len(chunk)
        if at != length:
            raise ValueError(f"a content of {content.size} bytes gave fewer")
    return True
