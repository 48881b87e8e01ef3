"""Inodes: 32 bytes for what fits, else 64; behind them extended attributes, and the end of the data or a map of it.

Source: Documentation/filesystems/erofs.rst, "Inode"; struct erofs_inode_compact and erofs_inode_extended in
fs/erofs/erofs_fs.h.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from finback.codec.erofs import xattr
from finback.codec.erofs.holes import FORMAT
from finback.codec.erofs.layout import BLOCK, CHUNKED, COMPRESSED, INLINE, NOWHERE, PLAIN, blocks
from finback.codec.erofs.packing import Packed
from finback.tree.node import BLOCK as BLOCK_DEVICE
from finback.tree.node import CHARACTER, Node

COMPACT, EXTENDED = 32, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Inode:
    """An inode whose size is known, and where its data goes is not yet."""

    node: Node
    size: int
    """Of the file, the directory's listing, or the link's target."""
    xattrs: bytes
    compact: bool
    holes: tuple[bool, ...] = ()
    """Which chunks are holes; empty for a file without."""
    packed: Packed | None = None
    """Where its data is already."""

    @property
    def head(self) -> int:
        """Bytes of the inode with its extended attributes."""
        return (COMPACT if self.compact else EXTENDED) + len(self.xattrs)

    @property
    def layout(self) -> int:
        """The data layout: the tail goes behind the inode where both fit into a block."""
        if self.holes:
            return CHUNKED
        if self.packed:
            return COMPRESSED if self.packed.index else PLAIN
        return INLINE if self.size % BLOCK and self.head + self.size % BLOCK <= BLOCK else PLAIN

    @property
    def tail(self) -> int:
        """Bytes of data behind the inode."""
        return self.size % BLOCK if self.layout == INLINE else 0

    @property
    def blocks(self) -> int:
        """Blocks of data elsewhere, when there are no holes."""
        return self.packed.blocks if self.packed else blocks(self.size - self.tail)

    @property
    def length(self) -> int:
        """Bytes in the metadata area."""
        if self.layout == COMPRESSED:
            assert self.packed
            return self.index + len(self.packed.index)
        return self.head + (4 * len(self.holes) if self.holes else self.tail)

    @property
    def index(self) -> int:
        """Where the index begins, from the beginning of the inode."""
        return -(-self.head // 8) * 8

    def encode(self, start: int) -> bytes:
        """The inode and its extended attributes; *start* is the first of its blocks."""
        node, entry = self.node, self.node.entry
        if node.kind in (CHARACTER, BLOCK_DEVICE):
            where = node.device
        elif self.holes:
            where = FORMAT
        elif self.layout == COMPRESSED:
            where = self.blocks
        else:
            where = start if self.blocks else NOWHERE
        form = self.layout << 1 | (not self.compact)
        mode = node.kind | entry.mode & 0o7777
        first = (form, xattr.count(self.xattrs), mode)
        if self.compact:
            rest = (node.links, self.size, 0, where, node.number, entry.uid, entry.gid, 0)
            return struct.pack("<HHHHIIIIHHI", *first, *rest) + self.xattrs
        wide = (0, self.size, where, node.number, entry.uid, entry.gid, entry.mtime, 0, node.links)
        return struct.pack("<HHHHQIIIIQII16x", *first, *wide) + self.xattrs


def inode(node: Node, size: int, xattrs: bytes, time: int, data: tuple[bool, ...] | Packed | None) -> Inode:
    """The inode of *node*, in the short form where that has room; *time* is the image's own, *data* a file's holes or
    where it has been put.

    Raises:
        ValueError: a number does not fit.

    """
    entry = node.entry
    for number, limit in ((entry.uid, 1 << 32), (entry.gid, 1 << 32), (entry.mtime, 1 << 63), (node.links, 1 << 32)):
        if not 0 <= number < limit:
            raise ValueError(f"{entry.path}: the number {number} does not fit EROFS")
    compact = entry.mtime == time and max(entry.uid, entry.gid, node.links) <= 0xFFFF and size <= 0xFFFFFFFF
    packed, gaps = (data, ()) if isinstance(data, Packed) else (None, data or ())
    return Inode(node=node, size=size, xattrs=xattrs, compact=compact, holes=gaps, packed=packed)
