"""Extended attributes: those that several inodes have are stored once; the others stand behind their inode.

Source: Documentation/filesystems/erofs.rst, "Extended attributes"; struct erofs_xattr_ibody_header and
erofs_xattr_entry in fs/erofs/erofs_fs.h.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable

from finback.tree.entry import AnyEntry

ACLS = {"system.posix_acl_access": 2, "system.posix_acl_default": 3}
PREFIXES = (("user.", 1), ("trusted.", 4), ("security.", 6))
HEADER = 12
UNIT = 4
SHARED_LIMIT = 255
# xattr_icount has 16 bits and counts units behind the header, which counts as one.
LIMIT = HEADER + UNIT * 0xFFFE

Pair = tuple[str, bytes]


class Xattrs:
    """The extended attributes of a tree's inodes.

    Raises:
        ValueError: the format has no place for one.

    """

    def __init__(self, entries: Iterable[AnyEntry]) -> None:
        self._entries: dict[Pair, bytes] = {}
        used: Counter[Pair] = Counter()
        for entry in entries:
            for pair in entry.xattrs:
                used[pair] += 1
                if pair not in self._entries:
                    self._entries[pair] = _entry(*pair, entry.path)
        shared = bytearray()
        self._shared: dict[Pair, int] = {}
        for pair, times in used.items():
            if times > 1 and len(self._entries[pair]) > UNIT:
                self._shared[pair] = len(shared) // UNIT
                shared += self._entries[pair]
        self.shared = bytes(shared)
        """What all inodes refer to by offset."""

    def body(self, entry: AnyEntry) -> bytes:
        """What stands behind the inode of *entry*.

        Raises:
            ValueError: it is too long.

        """
        if not entry.xattrs:
            return b""
        numbers = [self._shared[p] for p in entry.xattrs if p in self._shared][:SHARED_LIMIT]
        own = b"".join(self._entries[p] for p in entry.xattrs if self._shared.get(p) not in set(numbers))
        body = struct.pack("<IB7x", 0, len(numbers)) + struct.pack(f"<{len(numbers)}I", *numbers) + own
        if len(body) > LIMIT:
            raise ValueError(f"{entry.path}: EROFS has no place for that many extended attributes")
        return body


def count(body: bytes) -> int:
    """The inode's xattr_icount for *body*."""
    return (len(body) - HEADER) // UNIT + 1 if body else 0


def _entry(name: str, value: bytes, path: str) -> bytes:
    index, rest = ACLS.get(name, 0), ""
    for prefix, number in PREFIXES:
        if name.startswith(prefix) and len(name) > len(prefix):
            index, rest = number, name.removeprefix(prefix)
    if not index:
        raise ValueError(f"{path}: EROFS has no place for the extended attribute {name}")
    text = rest.encode("utf-8", "surrogateescape")
    if len(text) > 0xFF or len(value) > 0xFFFF:
        raise ValueError(f"{path}: the extended attribute {name} is too long")
    entry = struct.pack("<BBH", len(text), index, len(value)) + text + value
    return entry + b"\0" * (-len(entry) % UNIT)
