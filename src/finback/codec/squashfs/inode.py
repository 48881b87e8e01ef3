"""Inodes and directories.

The inode table holds first what is no directory, then the directories from the deepest up: whatever a directory names
has its place already.

Source: Documentation/filesystems/squashfs.rst, 3.2 Inodes and 3.3 Directories; squashfs_fs.h in the kernel.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from finback.codec.squashfs.compressor import Compressor
from finback.codec.squashfs.data import Placement
from finback.codec.squashfs.metadata import SIZE, Metadata
from finback.codec.squashfs.xattr import NONE, Xattrs
from finback.tree.entry import File
from finback.tree.node import BLOCK, CHARACTER, DIRECTORY, FIFO, LINK, REGULAR, SOCKET, Node

TYPES = {DIRECTORY: 1, REGULAR: 2, LINK: 3, BLOCK: 4, CHARACTER: 5, FIFO: 6, SOCKET: 7}
# An inode of the extended kind has the type of the basic one and this.
EXTENDED = 7
# What a directory's size counts for `.` and `..`, which are not stored.
DOTS = 3
RUN = 256
IDS = 65536

Place = tuple[int, int]


class Inodes:
    """The inode and the directory table of a tree."""

    def __init__(self, compressor: Compressor, xattrs: Xattrs) -> None:
        self.inodes = Metadata(compressor)
        self.directories = Metadata(compressor)
        self.ids: dict[int, int] = {}
        """User and group ids, in the order in which they were met, with their numbers."""
        self._xattrs = xattrs
        self._places: dict[Node, Place] = {}

    def references(self, nodes: Iterable[Node]) -> list[int]:
        """The places of *nodes* as the format refers to them."""
        return [block << 16 | offset for block, offset in (self._places[n] for n in nodes)]

    def add(self, node: Node, placement: Placement) -> None:
        """Write the inode of something that is no directory; *placement* says where a file's bytes are.

        Raises:
            ValueError: a number does not fit.

        """
        xattr = self._xattrs.number(node.entry.xattrs, node.entry.path)
        self._places[node] = self.inodes.place
        if node.kind == REGULAR:
            self.inodes.write(self._file(node, placement, xattr))
            return
        extended = xattr != NONE
        body = struct.pack("<I", node.links)
        if node.kind == LINK:
            body += struct.pack("<I", len(node.target)) + node.target
        elif node.kind in (BLOCK, CHARACTER):
            body += struct.pack("<I", node.device)
        tail = struct.pack("<I", xattr) if extended else b""
        self.inodes.write(self._head(node, extended=extended) + body + tail)

    def add_directory(self, node: Node, root_parent: int) -> None:
        """Write a directory whose children are written; *root_parent* is what the root says of its own parent.

        Raises:
            ValueError: a number does not fit.

        """
        xattr = self._xattrs.number(node.entry.xattrs, node.entry.path)
        start, offset = self.directories.place
        first = len(self.directories.starts)
        listing, index = self._listing(node)
        parent = root_parent if node.parent is None else node.parent.number
        size = len(listing) + DOTS
        extended = bool(index) or xattr != NONE or size > 0xFFFF
        # Written now, so that it is known which metadata block each run of it is in.
        self.directories.write(listing)
        head = self._head(node, extended=extended)
        self._places[node] = self.inodes.place
        if not extended:
            self.inodes.write(head + struct.pack("<IIHHI", start, node.links, size, offset, parent))
            return
        body = struct.pack("<IIIIHHI", node.links, size, start, parent, len(index), offset, xattr)
        for at, name in index:
            block = self.directories.start(first + (offset + at) // SIZE)
            body += struct.pack("<III", at, block, len(name) - 1) + name
        self.inodes.write(head + body)

    def _listing(self, node: Node) -> tuple[bytes, list[tuple[int, bytes]]]:
        """The directory's entries in runs with a header each, and which runs its index names.

        A run has at most 256 entries whose inodes are in one metadata block and near in number. One begins anew after
        8 KiB at the latest, and the index names that.
        """
        out = bytearray()
        index: list[tuple[int, bytes]] = []
        children = node.children
        at = indexed = 0
        while at < len(children):
            name, first = children[at]
            if out and len(out) - indexed + 20 + len(name) > SIZE:
                index.append((len(out), name))
                indexed = len(out)
            block = self._places[first][0]
            run = bytearray()
            count = 0
            for name, child in children[at : at + RUN]:
                child_block, child_offset = self._places[child]
                delta = child.number - first.number
                if child_block != block or not -32768 <= delta <= 32767:
                    break
                if count and len(out) + len(run) + 20 + len(name) - indexed > SIZE:
                    break
                run += struct.pack("<HhHH", child_offset, delta, TYPES[child.kind], len(name) - 1) + name
                count += 1
            out += struct.pack("<III", count - 1, block, first.number) + run
            at += count
        return bytes(out), index

    def _file(self, node: Node, where: Placement, xattr: int) -> bytes:
        size = _size(node)
        blocks = struct.pack(f"<{len(where.sizes)}I", *where.sizes)
        extended = xattr != NONE or node.links > 1 or where.sparse > 0 or max(where.start, size) > 0xFFFFFFFF
        head = self._head(node, extended=extended)
        if not extended:
            return head + struct.pack("<IIII", where.start, where.fragment, where.offset, size) + blocks
        # As mksquashfs: a file that takes no block at all looks empty to programs that trust st_blocks.
        sparse = min(where.sparse, size - 1) if where.sparse else 0
        return (
            head
            + struct.pack("<QQQIIII", where.start, size, sparse, node.links, where.fragment, where.offset, xattr)
            + blocks
        )

    def _head(self, node: Node, *, extended: bool) -> bytes:
        entry = node.entry
        if not 0 <= entry.mtime <= 0xFFFFFFFF:
            raise ValueError(f"{entry.path}: the time {entry.mtime} does not fit SquashFS")
        owner, group = (self._id(i, entry.path) for i in (entry.uid, entry.gid))
        kind = TYPES[node.kind] + (EXTENDED if extended else 0)
        return struct.pack("<HHHHII", kind, entry.mode & 0o7777, owner, group, entry.mtime, node.number)

    def _id(self, number: int, path: str) -> int:
        if not 0 <= number <= 0xFFFFFFFF:
            raise ValueError(f"{path}: there is no user or group {number}")
        known = self.ids.setdefault(number, len(self.ids))
        if known >= IDS:
            raise ValueError(f"{path}: SquashFS has room for {IDS} users and groups")
        return known


def _size(node: Node) -> int:
    assert isinstance(node.entry, File)
    return node.entry.content.size
