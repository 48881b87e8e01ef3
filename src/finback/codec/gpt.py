"""GUID partition tables, on disks with sectors of 512 bytes.

Subset: one table of 128 entries and its copy at the end of the disk; the master boot record is the protective one, with
code for BIOSes if wanted.

Source: UEFI specification 2.10, sections 5.3.2 (header) and 5.3.3 (entries); the partition types of Linux from the UAPI
group's Discoverable Partitions Specification.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from finback.codec import mbr

SECTOR = 512
ENTRIES = 128
TABLE = ENTRIES * 128 // SECTOR
# The protective record, the header and the table; at the end, the table and the header.
HEAD = 2 + TABLE
TAIL = 1 + TABLE

ESP = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
LEGACY_BOOT = 1 << 2
"""Attribute: what BIOSes shall boot (section 5.3.3, table 5-8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition, in sectors."""

    kind: UUID
    guid: UUID
    first: int
    sectors: int
    name: str
    attributes: int = 0


def encode(partitions: Sequence[Partition], *, sectors: int, guid: UUID, code: bytes = b"") -> tuple[bytes, bytes]:
    """The first HEAD and the last TAIL sectors of a disk of *sectors* sectors, whose own name is *guid*.

    Raises:
        ValueError: a partition does not lie between them, overlaps another or has too long a name.

    """
    if len(partitions) > ENTRIES:
        raise ValueError(f"a table has {ENTRIES} entries")
    free = HEAD
    for part in sorted(partitions, key=lambda p: p.first):
        if part.first < free or not part.sectors or part.first + part.sectors > sectors - TAIL:
            raise ValueError(f"partition {part.name} does not fit where it is put")
        free = part.first + part.sectors
    table = b"".join(map(_entry, partitions)).ljust(TABLE * SECTOR, b"\0")
    head = mbr.protective(sectors, code) + _header(1, sectors - 1, 2, sectors, guid, table) + table
    return head, table + _header(sectors - 1, 1, sectors - 1 - TABLE, sectors, guid, table)


def _entry(part: Partition) -> bytes:
    name = part.name.encode("utf-16-le")
    if len(name) > 72:
        raise ValueError(f"the name {part.name} is longer than 36 characters")
    last = part.first + part.sectors - 1
    return struct.pack("<16s16sQQQ72s", part.kind.bytes_le, part.guid.bytes_le, part.first, last, part.attributes, name)


def _header(own: int, other: int, table_at: int, sectors: int, guid: UUID, table: bytes) -> bytes:
    def pack(checksum: int) -> bytes:
        return struct.pack(
            "<8sIIIIQQQQ16sQIII",
            b"EFI PART", 0x10000, 92, checksum, 0, own, other, HEAD, sectors - TAIL - 1, guid.bytes_le,
            table_at, ENTRIES, 128, zlib.crc32(table),
        )  # fmt: skip

    return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")
