"""Directories: blocks of names, each with its own table in front; names are sorted over the whole.

Source: Documentation/filesystems/erofs.rst, "Directories"; struct erofs_dirent in fs/erofs/erofs_fs.h.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from finback.codec.erofs.layout import BLOCK
from finback.tree.node import BLOCK as BLOCK_DEVICE
from finback.tree.node import CHARACTER, DIRECTORY, FIFO, LINK, REGULAR, SOCKET, Node

TYPES = {REGULAR: 1, DIRECTORY: 2, CHARACTER: 3, BLOCK_DEVICE: 4, FIFO: 5, SOCKET: 6, LINK: 7}
ENTRY = 12


class Listing:
    """What a directory says, cut into blocks; the size is known before the numbers of the inodes are."""

    def __init__(self, node: Node) -> None:
        named = [(b".", node), (b"..", node.parent or node), *node.children]
        self._blocks: list[list[tuple[bytes, Node]]] = [[]]
        used = 0
        for pair in sorted(named, key=lambda p: p[0]):
            need = ENTRY + len(pair[0])
            if used + need > BLOCK:
                self._blocks.append([])
                used = 0
            self._blocks[-1].append(pair)
            used += need
        self.size = (len(self._blocks) - 1) * BLOCK + used

    def encode(self, first: int, last: int, places: Mapping[Node, int]) -> bytes:
        """The blocks from number *first* to before *last*, without the end of the directory's last block."""
        return b"".join(self._block(n, places) for n in range(first, min(last, len(self._blocks))))

    def _block(self, number: int, places: Mapping[Node, int]) -> bytes:
        pairs = self._blocks[number]
        at = ENTRY * len(pairs)
        table = bytearray()
        for name, node in pairs:
            table += struct.pack("<QHBx", places[node], at, TYPES[node.kind])
            at += len(name)
        text = bytes(table) + b"".join(name for name, _ in pairs)
        return text if number == len(self._blocks) - 1 else text.ljust(BLOCK, b"\0")
