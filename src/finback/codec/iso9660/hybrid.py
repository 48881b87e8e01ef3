"""Discs that boot as a disk too: a partition table and BIOS code in the sixteen sectors before the first descriptor.

With a volume for UEFI firmware the table is a GPT with that volume as its one partition; the code lies in the
protective record, which BIOSes run as any other. Without, it is a master boot record with one partition: the whole
disc.

Sources: Syslinux 6.04, utils/isohybrid.c and mbr/isohdpfx.S; UEFI specification 2.10, 5.2.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

from finback.codec import gpt, mbr
from finback.codec.disk import SECTOR

# What a disk has behind the last thing on it.
TAIL = gpt.TAIL * SECTOR
# The code finds ISOLINUX by the number behind it.
CODE = 432
HIDDEN_NTFS = 0x17
_SECOND_ENTRY = 446 + 16
# Some BIOSes boot only disks with an active partition. This one is empty, one sector long, and of no type.
_ACTIVE = struct.pack("<B3sB3sII", 0x80, b"\0\0\0", 0, b"\0\0\0", 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid:
    """What makes a disc a disk."""

    guid: UUID
    """The disk's own name; that of its partition is the next."""
    code: bytes = b""
    """`isohdpfx.bin`, for BIOSes."""


def encode(hybrid: Hybrid, size: int, bios: int, efi: tuple[int, int] | None) -> tuple[bytes, bytes]:
    """What comes at the beginning and at the end of a disc of *size* bytes.

    *bios* is where ISOLINUX is, *efi* where the volume for UEFI firmware is and its size, all in bytes.

    Raises:
        ValueError: the code does not fit.

    """
    if len(hybrid.code) > CODE:
        raise ValueError(f"the boot code of a disc has at most {CODE} bytes")
    code = hybrid.code.ljust(CODE, b"\0") + struct.pack("<Q", bios // SECTOR) if hybrid.code else b""
    if efi is None:
        whole = mbr.Partition(kind=HIDDEN_NTFS, first=0, sectors=size // SECTOR, active=True)
        return mbr.encode([whole], signature=hybrid.guid.fields[0], code=code), b""
    volume = gpt.Partition(
        kind=gpt.ESP,
        guid=UUID(int=hybrid.guid.int ^ 1),
        first=efi[0] // SECTOR,
        sectors=-(-efi[1] // SECTOR),
        name="EFI system partition",
    )
    head, tail = gpt.encode([volume], sectors=size // SECTOR, guid=hybrid.guid, code=code)
    if hybrid.code:
        head = head[:_SECOND_ENTRY] + _ACTIVE + head[_SECOND_ENTRY + 16 :]
    return head, tail
