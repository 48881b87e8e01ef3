"""A disk that UEFI firmware and a BIOS boot alike; where there is no BIOS, the disk of raw-efi."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from finback.assemble.command_line import BIOS, UNIFIED
from finback.assemble.command_line import SYSLINUX as SYSLINUX_WAY
from finback.assemble.command_line import SYSTEMD_BOOT as SYSTEMD_BOOT_WAY
from finback.assemble.system import Contents, System
from finback.codec.disk import Disk
from finback.outputs import Options, _drive, raw_efi
from finback.outputs._boot import (
    SYSLINUX,
    SYSTEMD_BOOT,
    UEFI,
    boot_manager,
    efi_name,
    parts,
    program,
    syslinux_files,
    syslinux_volume,
    title,
)
from finback.outputs._disk import FIRST, with_gpt
from finback.tree.content import Inline, Stretch


def _image(system: System, contents: Contents, options: Options) -> Disk:
    """The disk. Both boot loaders read the same kernel and initrd, which are there once.

    Source: UAPI group, Boot Loader Specification, "Type #1 Boot Loader Entries".
    """
    if system.platform.architecture != "amd64":
        return raw_efi.DRIVE.image(system, contents, options)
    made = parts(system, contents, options)
    entry = f"title {title(system)}\nlinux /kernel\ninitrd /initrd.img\noptions {SYSTEMD_BOOT_WAY.write(system)}\n"
    files: dict[str, Iterable[Stretch] | None] = {
        **syslinux_files(made, system),
        efi_name(system): (Inline(boot_manager(system, contents)),),
        # No time to stop the boot in, and no way to boot anything else.
        "loader/loader.conf": (Inline(b"default finback.conf\ntimeout 0\neditor no\n"),),
        "loader/entries/finback.conf": (Inline(entry.encode()),),
    }
    code = program(contents, SYSLINUX, "usr/lib/SYSLINUX/gptmbr.bin")
    return with_gpt(syslinux_volume(files, system, contents, FIRST), system, options, code)


WAYS = (SYSLINUX_WAY, replace(SYSTEMD_BOOT_WAY, architectures=BIOS), UNIFIED)
DRIVE = _drive.Drive(_image, {**UEFI, "amd64": (SYSTEMD_BOOT, SYSLINUX)}, WAYS)
FORMAT = _drive.drive_format(DRIVE, _drive.raw, suffix=".img", media_type=_drive.RAW)
