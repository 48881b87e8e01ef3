"""Extended attributes: each different set is stored once and has a number.

Subset: the namespaces that the format has, user, trusted and security. No value stands out of line.

Source: Documentation/filesystems/squashfs.rst, 3.9 Xattr table; squashfs_fs.h in the kernel.
"""

from __future__ import annotations

import struct

from finback.codec.squashfs.compressor import Compressor
from finback.codec.squashfs.metadata import Metadata, table

NONE = 0xFFFFFFFF
PREFIXES = (("user.", 0), ("trusted.", 1), ("security.", 2))
VALUE_LIMIT = 65536

Set = tuple[tuple[str, bytes], ...]


class Xattrs:
    """The sets that were met."""

    def __init__(self, compressor: Compressor) -> None:
        self._compressor = compressor
        self._pairs = Metadata(compressor)
        self._ids = bytearray()
        self._known: dict[Set, int] = {(): NONE}

    def number(self, attributes: Set, path: str) -> int:
        """The number of the set; NONE for the empty one.

        Raises:
            ValueError: the format has no place for one of *attributes*, which are those of *path*.

        """
        known = self._known.get(attributes)
        if known is not None:
            return known
        pairs = b"".join(_pair(name, value, path) for name, value in attributes)
        block, offset = self._pairs.place
        self._pairs.write(pairs)
        self._ids += struct.pack("<QII", block << 16 | offset, len(attributes), len(pairs))
        self._known[attributes] = len(self._known) - 1
        return self._known[attributes]

    def finish(self, position: int) -> tuple[bytes, int | None]:
        """The tables put at byte *position* of the image, and where their header is; None when there are none."""
        if not self._ids:
            return b"", None
        pairs = self._pairs.finish()
        listed, pointers = table(bytes(self._ids), self._compressor, position + len(pairs))
        blocks = pointers - position - len(pairs)
        header = struct.pack("<QII", position, len(self._known) - 1, 0)
        return pairs + listed[:blocks] + header + listed[blocks:], pointers


def _pair(name: str, value: bytes, path: str) -> bytes:
    for prefix, number in PREFIXES:
        if name.startswith(prefix):
            rest = name.removeprefix(prefix).encode("utf-8", "surrogateescape")
            if not rest or len(name.encode("utf-8", "surrogateescape")) > 255 or len(value) > VALUE_LIMIT:
                raise ValueError(f"{path}: the extended attribute {name} is too long, or has no name")
            return struct.pack("<HH", number, len(rest)) + rest + struct.pack("<I", len(value)) + value
    raise ValueError(f"{path}: SquashFS has no place for the extended attribute {name}")
