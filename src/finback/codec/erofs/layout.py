"""Numbers of the format, and where in the metadata area inodes go.

Source: the kernel's fs/erofs/erofs_fs.h; Documentation/filesystems/erofs.rst.
"""

from __future__ import annotations

from bisect import bisect_left, insort

BLOCK_BITS = 12
BLOCK = 1 << BLOCK_BITS
SLOT = 32
"""An inode's number is its place in units of this."""
SUPERBLOCK = 1024
SUPERBLOCK_SIZE = 128
NOWHERE = 0xFFFFFFFF
# Data layouts: blocks in a row; compressed, with an index; blocks and a tail behind the inode; chunks found by a map.
PLAIN, COMPRESSED, INLINE, CHUNKED = 0, 1, 2, 4


def blocks(size: int) -> int:
    """How many blocks hold *size* bytes."""
    return -(-size // BLOCK)


class Room:
    """The metadata area, which is given away piece by piece. What stays free at the end of a block is used later."""

    def __init__(self) -> None:
        self.end = SUPERBLOCK + SUPERBLOCK_SIZE
        self._gaps: list[tuple[int, int]] = []

    def take(self, size: int) -> int:
        """A place for *size* bytes, within a block when they fit into one, else from the beginning of one."""
        size = -(-size // SLOT) * SLOT
        number = bisect_left(self._gaps, (size, 0))
        if number < len(self._gaps):
            found, place = self._gaps.pop(number)
            self._leave(place + size, found - size)
            return place
        left = -self.end % BLOCK
        if left < size <= BLOCK or size > BLOCK:
            self._leave(self.end, left)
            self.end += left
        place = self.end
        self.end += size
        return place

    def _leave(self, place: int, size: int) -> None:
        if size >= SLOT:
            insort(self._gaps, (size, place))
