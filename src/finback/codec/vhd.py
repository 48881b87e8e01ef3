"""Virtual PC's and Azure's disks: fixed ones, which are the disk and a footer, and dynamic ones, which leave holes out.

Subset: no differencing disks; blocks of 2 MiB. Their time is the format's zero.

Source: Microsoft, Virtual Hard Disk Image Format Specification 1.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from uuid import UUID

from finback.codec import disk
from finback.codec.disk import Disk
from finback.tree.content import Inline, Stretch

SECTOR = 512
BLOCK = 2 << 20
# 2040 GiB, the most that readers take.
LIMIT = 2040 << 30
_FIXED, _DYNAMIC = 2, 3
_NONE = (1 << 64) - 1
_UNUSED = 0xFFFFFFFF
_TABLE_AT = 3 * SECTOR


def fixed(image: Iterable[Stretch], guid: UUID) -> Disk:
    """The disk *image* as a fixed VHD.

    Raises:
        ValueError: it is larger than the format allows, or no whole number of sectors.

    """
    body = tuple(image)
    return (*body, Inline(_footer(disk.size(body), _FIXED, guid, _NONE)))


def dynamic(image: Iterable[Stretch], guid: UUID) -> Disk:
    """The disk *image* as a dynamic VHD.

    Raises:
        ValueError: it is larger than the format allows, or no whole number of sectors.

    """
    guest = tuple(image)
    footer = _footer(disk.size(guest), _DYNAMIC, guid, SECTOR)
    count = -(-disk.size(guest) // BLOCK)
    table = [_UNUSED] * count
    room = disk.aligned(count * 4, SECTOR)
    sector = (_TABLE_AT + room) // SECTOR
    body: list[Stretch] = []
    for number, part in disk.cut(guest, BLOCK):
        table[number] = sector
        # Before each block, a bit per sector: all are there.
        body += [Inline(b"\xff" * SECTOR), *part]
        sector += 1 + BLOCK // SECTOR
    packed = struct.pack(f">{count}I", *table).ljust(room, b"\xff")
    return (Inline(footer + _header(count) + packed), *body, Inline(footer))


def _footer(size: int, kind: int, guid: UUID, offset: int) -> bytes:
    if size > LIMIT or size % SECTOR:
        raise ValueError("a VHD has whole sectors and at most 2040 GiB")

    def pack(checksum: int) -> bytes:
        return struct.pack(
            ">8sIIQI4sI4sQQ4sII16s",
            # The creator is Hyper-V's word: readers go by the size for it, and by the geometry, which is not exact,
            # for those that they do not know.
            b"conectix", 2, 0x10000, offset, 0, b"win ", 0xA0000, b"Wi2k", size, size, _geometry(size), kind,
            checksum, guid.bytes,
        ).ljust(SECTOR, b"\0")  # fmt: skip

    return pack(_checksum(pack(0)))


def _header(count: int) -> bytes:
    def pack(checksum: int) -> bytes:
        return struct.pack(
            ">8sQQIIII", b"cxsparse", _NONE, _TABLE_AT, 0x10000, count, BLOCK, checksum
        ).ljust(2 * SECTOR, b"\0")  # fmt: skip

    return pack(_checksum(pack(0)))


def _checksum(data: bytes) -> int:
    return ~sum(data) & 0xFFFFFFFF


def _geometry(size: int) -> bytes:
    """Cylinders, heads and sectors (the specification's appendix, "CHS Calculation")."""
    total = min(size // SECTOR, 65535 * 16 * 255)
    if total >= 65535 * 16 * 63:
        sectors, heads, cylinders_heads = 255, 16, total // 255
    else:
        sectors = 17
        cylinders_heads = total // sectors
        heads = max(4, (cylinders_heads + 1023) // 1024)
        if cylinders_heads >= heads * 1024 or heads > 16:
            sectors, heads = 31, 16
            cylinders_heads = total // sectors
        if cylinders_heads >= heads * 1024:
            sectors, heads = 63, 16
            cylinders_heads = total // sectors
    return struct.pack(">HBB", cylinders_heads // heads, heads, sectors)
