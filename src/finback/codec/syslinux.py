"""SYSLINUX put on a FAT volume by writing bytes: what its installer does, without running it.

Debian has the loader only inside the installer's program: a boot sector, then `ldlinux.sys`, then `ldlinux.c32`. They
are taken from there; the sectors in which `ldlinux.sys` comes to lie are written into its first one and into the boot
sector.

Subset: version 6 on FAT, one volume, `ldlinux.sys` in one stretch, no data that survives a boot (ADV) beyond the empty
ones.

Source: SYSLINUX 6.04, libinstaller/syslxint.h (the patch areas), syslxmod.c (what goes where), setadv.c (the ADV).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SECTOR = 512
LOADER = "ldlinux.sys"
MODULE = "ldlinux.c32"
_MAGIC = 0x3EB202FE
_BOOT = b"\xeb\x58\x90SYSLINUX"
_START = b"\r\nSYSLINUX 6."
# The most sectors below 64 KiB.
_RUN = 127
_PATCH = struct.Struct("<IIHHIIHH")
_EXTENDED = struct.Struct("<10H")
_ADV_HEAD, _ADV_TAIL = 0x5A2D2FA5, 0xDD28BF64
_ADV_MAGIC, _ADV_SIZE, _ADV_COPIES = 0xA3041767, 512, 2


@dataclass(frozen=True, slots=True)
class Loader:
    """The parts, before they know where they are."""

    boot: bytes
    system: bytes
    """`ldlinux.sys` in whole sectors, the ADV included."""
    module: bytes


def extract(program: bytes) -> Loader:
    """The loader out of the installer's program.

    Raises:
        ValueError: it is not there as expected.

    """
    start = program.find(_BOOT)
    after = start + SECTOR
    module = program.find(b"\x7fELF\1\1\1", after)
    if start < 0 or module < 0 or not program.startswith(_START, after) or program[after - 2 : after] != b"\x55\xaa":
        raise ValueError("it holds no SYSLINUX 6")
    system = program[after:module]
    # Up to the next object of the program only zeros follow; they fill the last sector anyway.
    system = system.ljust(-(-len(system) // SECTOR) * SECTOR, b"\0")
    _patch_area(system)
    return Loader(program[start:after], system + _adv() * _ADV_COPIES, program[module : module + _elf(program, module)])


def installed(loader: Loader, first: int) -> tuple[bytes, bytes]:
    """The boot sector and `ldlinux.sys` for a file that begins at sector *first* of its volume.

    Raises:
        ValueError: the loader has no room for what is written into it.

    """
    area = _patch_area(loader.system)
    out = bytearray(loader.system)
    fields = list(_PATCH.unpack_from(out, area))
    pointers = _EXTENDED.unpack_from(out, fields[7])
    adv_at, _, _, _, _, extents_at, extents, low, high, _ = pointers
    count = len(out) // SECTOR - _ADV_COPIES
    boot = bytearray(loader.boot)
    struct.pack_into("<I", boot, low, first & 0xFFFFFFFF)
    struct.pack_into("<I", boot, high, first >> 32)
    # The first sector is the boot sector's business.
    found = list(_extents(first + 1, count - 1))
    if len(found) > extents:
        raise ValueError("SYSLINUX has no room for where it is")
    for i in range(extents):
        struct.pack_into("<QH", out, extents_at + 10 * i, *(found[i] if i < len(found) else (0, 0)))
    struct.pack_into("<QQ", out, adv_at, first + count, first + count + 1)
    words = count * SECTOR // 4
    fields[2], fields[3], fields[4], fields[5] = count, _ADV_COPIES, words, 0
    _PATCH.pack_into(out, area, *fields)
    fields[5] = (_MAGIC - sum(struct.unpack_from(f"<{words}I", out))) & 0xFFFFFFFF
    _PATCH.pack_into(out, area, *fields)
    return bytes(boot), bytes(out)


def _extents(first: int, count: int) -> Iterator[tuple[int, int]]:
    """Runs of sectors, each short enough for one call of the BIOS."""
    for done in range(0, count, _RUN):
        yield first + done, min(_RUN, count - done)


def _patch_area(system: bytes) -> int:
    for at in range(0, SECTOR, 4):
        if int.from_bytes(system[at : at + 4], "little") == _MAGIC:
            extended = _PATCH.unpack_from(system, at)[7]
            if extended + _EXTENDED.size <= len(system):
                return at
    raise ValueError("it holds no SYSLINUX 6 that can be installed")


def _elf(program: bytes, at: int) -> int:
    """The size of the 32-bit ELF file at *at*: its section table is its end."""
    try:
        kind, table, size, count = struct.unpack_from("<4xB27xI10xHH", program, at)
    except struct.error:
        raise ValueError("its module is cut short") from None
    end = int(table) + int(size) * int(count)
    if kind != 1 or end > len(program) - at:
        raise ValueError("its module is cut short")
    return end


def _adv() -> bytes:
    """One empty auxiliary data vector."""
    body = bytes(_ADV_SIZE - 12)
    checksum = (_ADV_MAGIC - sum(struct.unpack(f"<{len(body) // 4}I", body))) & 0xFFFFFFFF
    return struct.pack("<II", _ADV_HEAD, checksum) + body + struct.pack("<I", _ADV_TAIL)
