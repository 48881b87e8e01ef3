"""Disks with a boot partition, and with an empty one behind it when the disk shall be larger than what it holds."""

from __future__ import annotations

from finback.assemble.system import System
from finback.codec import disk, gpt, mbr
from finback.codec.disk import MIB, SECTOR, Disk
from finback.ground.diagnostic import FinbackError, error
from finback.outputs import Options
from finback.outputs._boot import identity, serial
from finback.tree.content import Inline

# Partitions begin at multiples of 1 MiB.
UNIT = MIB // SECTOR
FIRST = UNIT


def with_gpt(volume: Disk, system: System, options: Options, code: bytes = b"") -> Disk:
    """A disk with a GUID partition table and *volume* as its EFI system partition.

    With *code*, the boot code for a BIOS, the partition is also the one that a BIOS boots.
    """
    used = disk.size(volume) // SECTOR
    sectors = _sectors(FIRST + used + gpt.TAIL, options)
    found = [
        gpt.Partition(
            kind=gpt.ESP,
            guid=identity(system, "boot partition"),
            first=FIRST,
            sectors=used,
            name="boot",
            attributes=gpt.LEGACY_BOOT if code else 0,
        )
    ]
    first, room = _rest(FIRST + used, sectors - gpt.TAIL)
    if room:
        guid = identity(system, "data partition")
        found.append(gpt.Partition(kind=gpt.LINUX, guid=guid, first=first, sectors=room, name="data"))
    head, tail = gpt.encode(found, sectors=sectors, guid=identity(system, "disk"), code=code)
    parts = [(0, (Inline(head),)), (FIRST * SECTOR, volume), (sectors * SECTOR - len(tail), (Inline(tail),))]
    return disk.place(parts, sectors * SECTOR)


def with_mbr(volume: Disk, system: System, options: Options, code: bytes) -> Disk:
    """A disk with a master boot record, whose *code* starts what is at the beginning of *volume*."""
    used = disk.size(volume) // SECTOR
    sectors = _sectors(FIRST + used, options)
    found = [mbr.Partition(kind=mbr.FAT32_LBA, first=FIRST, sectors=used, active=True)]
    first, room = _rest(FIRST + used, sectors)
    try:
        if room:
            found.append(mbr.Partition(kind=mbr.LINUX, first=first, sectors=room))
        head = mbr.encode(found, signature=serial(system, "disk"), code=code)
    except ValueError as failure:
        raise _unfit(f"{failure}", "choose a smaller size, or a format that boots by UEFI") from None
    return disk.place([(0, (Inline(head),)), (FIRST * SECTOR, volume)], sectors * SECTOR)


def _sectors(needed: int, options: Options) -> int:
    least = disk.aligned(needed, UNIT)
    if options.size is None:
        return least
    if options.size < least * SECTOR:
        raise _unfit(
            f"{options.size // MIB} MiB are too few for what it holds",
            f"give at least {least * SECTOR // MIB}M, or no size",
        )
    return options.size // SECTOR


def _rest(first: int, end: int) -> tuple[int, int]:
    """Where the partition for what is left begins, and how many sectors it has; 0 for none."""
    start = disk.aligned(first, UNIT)
    return start, max(0, end - start) // UNIT * UNIT


def _unfit(what: str, remedy: str) -> FinbackError:
    return error("F029", f"the disk can't be made: {what}", help=remedy)
