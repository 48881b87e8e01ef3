"""Discs that boot, with a BIOS, with UEFI firmware or with both; written to a stick they boot as a disk.

Kernel and initrd are files of the disc for ISOLINUX, and files of the FAT volume for UEFI firmware. Where a disc is for
both they are there once: the disc's files lie within the volume.
"""

from __future__ import annotations

from collections.abc import Mapping

from finback.assemble.command_line import ISOLINUX as WAY
from finback.assemble.command_line import SYSTEMD_BOOT
from finback.assemble.system import Contents, System
from finback.codec import disk, fat, iso9660
from finback.codec.disk import Disk
from finback.codec.iso9660 import Boot, Hybrid, Volume, Within
from finback.outputs._boot import (
    Files,
    Parts,
    boot_manager,
    efi_name,
    identity,
    program,
    title,
    unfit,
    volume,
)
from finback.tree.content import Inline
from finback.tree.entry import File

ISO = "application/x-iso9660-image"
ISOLINUX = "isolinux"
LABEL = "FINBACK"
# It is the first of the disc's files by its name, so that it begins at the first MiB.
EFI_IMAGE = "efi.img"
EFI_FIRST = disk.MIB // disk.SECTOR
# FAT16 holds almost 2 GiB; the rest is for what is lost in clusters.
FAT16_LIMIT = 1 << 30
KERNEL, INITRD = "kernel", "initrd.img"
_PROGRAM = "isolinux/isolinux.bin"


def bios_disc(system: System, contents: Contents, made: Parts) -> Disk:
    """A disc that a BIOS boots."""
    bodies = {KERNEL: made.kernel, INITRD: made.initrd, **_isolinux(contents, system)}
    return _disc(system, bodies, Boot(bios=_PROGRAM, hybrid=_hybrid(system, contents)))


def efi_disc(system: System, files: Files) -> Disk:
    """A disc whose volume with *files* UEFI firmware boots."""
    made = _volume(files, system)
    return _disc(system, {EFI_IMAGE: made.disk}, Boot(efi=EFI_IMAGE, hybrid=_hybrid(system, None)))


def hybrid_disc(system: System, contents: Contents, made: Parts) -> Disk:
    """A disc that both boot."""
    inside = _volume(loader_files(system, contents, made), system)
    shared = {KERNEL: made.kernel, INITRD: made.initrd}
    bodies = {
        EFI_IMAGE: inside.disk,
        **{name: Within(EFI_IMAGE, inside.offsets[name], disk.size(body)) for name, body in shared.items()},
        **_isolinux(contents, system),
    }
    return _disc(system, bodies, Boot(bios=_PROGRAM, efi=EFI_IMAGE, hybrid=_hybrid(system, contents)))


def loader_files(system: System, contents: Contents, made: Parts) -> Files:
    """A volume's files: systemd-boot, with an entry that boots kernel and initrd at once.

    Source: UAPI group, Boot Loader Specification, "Type #1 Boot Loader Entries".
    """
    entry = f"title {title(system)}\nlinux /{KERNEL}\ninitrd /{INITRD}\noptions {SYSTEMD_BOOT.write(system)}\n"
    return {
        efi_name(system): (Inline(boot_manager(system, contents)),),
        "loader/loader.conf": (Inline(b"default finback.conf\ntimeout 0\neditor no\n"),),
        "loader/entries/finback.conf": (Inline(entry.encode()),),
        KERNEL: made.kernel,
        INITRD: made.initrd,
    }


def _isolinux(contents: Contents, system: System) -> dict[str, Disk]:
    """ISOLINUX, and the configuration that boots kernel and initrd at once."""
    # NOESCAPE: a key that hangs, or noise on a serial line, must not stop the boot.
    text = f"PROMPT 0\nNOESCAPE 1\nDEFAULT finback\nLABEL finback\n  LINUX /{KERNEL}\n  INITRD /{INITRD}\n"
    text += f"  APPEND {WAY.write(system)}\n"
    return {
        _PROGRAM: (Inline(program(contents, ISOLINUX, "usr/lib/ISOLINUX/isolinux.bin")),),
        "isolinux/ldlinux.c32": (Inline(program(contents, ISOLINUX, "usr/lib/syslinux/modules/bios/ldlinux.c32")),),
        "isolinux/isolinux.cfg": (Inline(text.encode()),),
    }


def _hybrid(system: System, loaders: Contents | None) -> Hybrid:
    code = program(loaders, ISOLINUX, "usr/lib/ISOLINUX/isohdpfx.bin") if loaders else b""
    return Hybrid(guid=identity(system, "disc"), code=code)


def _volume(files: Files, system: System) -> fat.Volume:
    """The volume for UEFI firmware, in clusters of at least a sector of the disc.

    Removable media may have FAT16 (UEFI 2.10, section 13.3.1.1), which is not padded to 33 MB.
    """
    small = sum(disk.size(body or ()) for body in files.values()) < FAT16_LIMIT
    cluster = iso9660.SECTOR // disk.SECTOR
    return volume(files, system, first=EFI_FIRST, bits=16 if small else 32, cluster=cluster)


def _disc(system: System, bodies: Mapping[str, Disk | Within], boot: Boot) -> Disk:
    entries = [File(path=path, mtime=system.epoch) for path in bodies]
    try:
        return iso9660.encode(entries, Volume(label=LABEL, epoch=system.epoch), bodies, boot)
    except ValueError as failure:
        raise unfit(ISOLINUX, failure) from None
