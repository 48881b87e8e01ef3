"""A disk that a BIOS boots: a master boot record, SYSLINUX, kernel and initrd on its only partition."""

from __future__ import annotations

from finback.assemble.command_line import SYSLINUX as WAY
from finback.assemble.system import Contents, System
from finback.codec.disk import Disk
from finback.outputs import Options, _drive
from finback.outputs._boot import SYSLINUX, parts, program, syslinux_files, syslinux_volume
from finback.outputs._disk import FIRST, with_mbr


def _image(system: System, contents: Contents, options: Options) -> Disk:
    files = syslinux_files(parts(system, contents, options), system)
    code = program(contents, SYSLINUX, "usr/lib/SYSLINUX/mbr.bin")
    return with_mbr(syslinux_volume(files, system, contents, FIRST), system, options, code)


DRIVE = _drive.Drive(_image, {"amd64": (SYSLINUX,)}, (WAY,))
FORMAT = _drive.drive_format(DRIVE, _drive.raw, suffix="-bios.img", media_type=_drive.RAW)
