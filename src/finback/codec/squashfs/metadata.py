"""Metadata: a stream cut into blocks of 8 KiB, each compressed, and tables that are looked up by number.

Source: Documentation/filesystems/squashfs.rst, 3.1 Metadata blocks; squashfs_fs.h in the kernel.
"""

from __future__ import annotations

import struct

from finback.codec.squashfs.compressor import Compressor

SIZE = 8192
# In the word before a block.
UNCOMPRESSED = 1 << 15


class Metadata:
    """A stream that is written; a place in it is the offset of the stored block and the offset in what that holds."""

    def __init__(self, compressor: Compressor) -> None:
        self._squeeze = compressor.squeeze
        self._stored = bytearray()
        self._open = bytearray()
        self.starts: list[int] = []
        """Where each block that is stored already begins."""

    @property
    def place(self) -> tuple[int, int]:
        """Where the next byte goes."""
        return len(self._stored), len(self._open)

    def start(self, number: int) -> int:
        """Where block *number* begins, which is stored already or is the next to be."""
        return self.starts[number] if number < len(self.starts) else len(self._stored)

    def write(self, data: bytes) -> None:
        """Append *data*."""
        self._open += data
        while len(self._open) >= SIZE:
            self._store(bytes(self._open[:SIZE]))
            del self._open[:SIZE]

    def finish(self) -> bytes:
        """The whole stream as it is stored."""
        if self._open:
            self._store(bytes(self._open))
            self._open.clear()
        return bytes(self._stored)

    def _store(self, block: bytes) -> None:
        self.starts.append(len(self._stored))
        stored, compressed = self._squeeze(block)
        self._stored += struct.pack("<H", len(stored) | (0 if compressed else UNCOMPRESSED)) + stored


def table(data: bytes, compressor: Compressor, position: int) -> tuple[bytes, int]:
    """A table put at byte *position* of the image: its bytes, and where its list of blocks is, by which it is found."""
    metadata = Metadata(compressor)
    metadata.write(data)
    stored = metadata.finish()
    pointers = struct.pack(f"<{len(metadata.starts)}Q", *(position + s for s in metadata.starts))
    return stored + pointers, position + len(stored)
