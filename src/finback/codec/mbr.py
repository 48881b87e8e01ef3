"""Master boot records: up to four primary partitions.

Subset: no extended partitions. Addresses of cylinder, head and sector follow the geometry of 255 heads and 63 sectors
that firmware assumes of large disks; beyond it, only the linear ones count.

Source: UEFI specification 2.10, section 5.2.1, "Legacy Master Boot Record"; what `active` means is older than that.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

SECTOR = 512
CODE = 440
FAT32_LBA = 0x0C
LINUX = 0x83
PROTECTIVE = 0xEE
_HEADS, _SECTORS = 255, 63
_LAST = b"\xfe\xff\xff"
_TOP = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A primary partition, in sectors."""

    kind: int
    first: int
    sectors: int
    active: bool = False


def encode(partitions: Sequence[Partition], *, signature: int = 0, code: bytes = b"") -> bytes:
    """The first sector of a disk. *signature* is the disk's own number, *code* what the firmware runs.

    Raises:
        ValueError: more than four partitions, one beyond 2 TiB, or code that does not fit.

    """
    if len(partitions) > 4 or len(code) > CODE:
        raise ValueError("a master boot record has room for four partitions and 440 bytes of code")
    out = code.ljust(CODE, b"\0") + struct.pack("<IH", signature, 0)
    for part in partitions:
        if part.first + part.sectors - 1 > _TOP or part.sectors > _TOP:
            raise ValueError("a partition of a master boot record ends within 2 TiB")
        last = b"\xff\xff\xff" if part.kind == PROTECTIVE else _chs(part.first + part.sectors - 1)
        out += struct.pack("<B3sB3sII", 0x80 * part.active, _chs(part.first), part.kind, last, part.first, part.sectors)
    return out.ljust(SECTOR - 2, b"\0") + b"\x55\xaa"


def protective(sectors: int, code: bytes = b"") -> bytes:
    """The first sector of a disk with a GUID partition table (UEFI 2.10, section 5.2.3)."""
    return encode([Partition(kind=PROTECTIVE, first=1, sectors=min(sectors - 1, _TOP))], code=code)


def _chs(sector: int) -> bytes:
    cylinder, rest = divmod(sector, _HEADS * _SECTORS)
    if cylinder > 1023:
        return _LAST
    head, low = divmod(rest, _SECTORS)
    return bytes((head, (low + 1) | (cylinder >> 8) << 6, cylinder & 0xFF))
