"""Hyper-V's disks, version 2: dynamic ones, which leave holes out.

Subset: blocks of 1 MiB, logical sectors of 512 bytes, an empty log, no parent.

Source: Microsoft, MS-VHDX 8.0, sections 2.1 (regions) to 2.6 (metadata).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from uuid import UUID

from finback.codec import disk
from finback.codec.crc32c import crc32c
from finback.codec.disk import MIB, Disk
from finback.tree.content import Inline, Stretch

SECTOR = 512
BLOCK = MIB
LIMIT = 64 << 40
_KIB64 = 64 << 10
_HEADERS, _REGIONS = (_KIB64, 2 * _KIB64), (3 * _KIB64, 4 * _KIB64)
_LOG, _METADATA, _TABLE = MIB, 2 * MIB, 3 * MIB
# Blocks between two entries for bitmaps, which only disks with a parent use (2.5).
_CHUNK = (1 << 23) * SECTOR // BLOCK
_PRESENT = 6
_TABLE_REGION = UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
_METADATA_REGION = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_PARAMETERS = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_SIZE = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
_NAME = UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
_LOGICAL = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
_PHYSICAL = UUID("cda348c7-445d-4471-9cc9-e9885251c556")
_REQUIRED, _OF_DISK = 4, 2


def encode(image: Iterable[Stretch], guid: UUID) -> Disk:
    """The disk *image* as a VHDX; *guid* names it.

    Raises:
        ValueError: it is larger than the format allows, or no whole number of sectors.

    """
    guest = tuple(image)
    size = disk.size(guest)
    if size > LIMIT or size % SECTOR:
        raise ValueError("a VHDX has whole sectors and at most 64 TiB")
    count = -(-size // BLOCK)
    table = [0] * (count + max(0, count - 1) // _CHUNK)
    room = max(MIB, disk.aligned(len(table) * 8, MIB))
    body: list[Stretch] = []
    place = (_TABLE + room) // MIB
    for number, part in disk.cut(guest, BLOCK):
        table[number + number // _CHUNK] = place << 20 | _PRESENT
        body += part
        place += BLOCK // MIB
    parts = [(0, b"vhdxfile" + "finback".encode("utf-16-le"))]
    parts += [(at, _header(number, guid)) for number, at in enumerate(_HEADERS)]
    parts += [(at, _regions(room)) for at in _REGIONS]
    parts += [(_METADATA, _metadata(size, guid)), (_TABLE, struct.pack(f"<{len(table)}Q", *table))]
    return (*disk.place(((at, (Inline(data),)) for at, data in parts), _TABLE + room), *body)


def _header(sequence: int, guid: UUID) -> bytes:
    """The header with the higher number is the one that counts (2.2.2); both say that the log is empty."""
    own = guid.bytes_le
    body = struct.pack("<Q16s16s16sHHIQ", sequence, own, own, bytes(16), 0, 1, MIB, _LOG)
    return _summed(b"head", body, 4096)


def _regions(room: int) -> bytes:
    body = struct.pack("<II", 2, 0)
    body += struct.pack("<16sQII", _TABLE_REGION.bytes_le, _TABLE, room, 1)
    body += struct.pack("<16sQII", _METADATA_REGION.bytes_le, _METADATA, MIB, 1)
    return _summed(b"regi", body, _KIB64)


def _metadata(size: int, guid: UUID) -> bytes:
    items = (
        (_PARAMETERS, struct.pack("<II", BLOCK, 0), _REQUIRED),
        (_SIZE, struct.pack("<Q", size), _REQUIRED | _OF_DISK),
        (_NAME, guid.bytes_le, _REQUIRED | _OF_DISK),
        (_LOGICAL, struct.pack("<I", SECTOR), _REQUIRED | _OF_DISK),
        (_PHYSICAL, struct.pack("<I", 4096), _REQUIRED | _OF_DISK),
    )
    table = struct.pack("<8sHH20x", b"metadata", 0, len(items))
    body = b""
    for kind, value, flags in items:
        table += struct.pack("<16sIIII", kind.bytes_le, _KIB64 + len(body), len(value), flags, 0)
        body += value
    return table.ljust(_KIB64, b"\0") + body


def _summed(signature: bytes, body: bytes, size: int) -> bytes:
    blank = (signature + bytes(4) + body).ljust(size, b"\0")
    return signature + struct.pack("<I", crc32c(blank)) + blank[8:]
