"""A disk that UEFI firmware boots: a GUID partition table, and a unified kernel image on its only partition."""

from __future__ import annotations

from finback.assemble.command_line import UNIFIED
from finback.assemble.system import Contents, System
from finback.codec.disk import Disk
from finback.outputs import Options, _drive
from finback.outputs._boot import UEFI, efi_name, unified, volume
from finback.outputs._disk import FIRST, with_gpt


def _image(system: System, contents: Contents, options: Options) -> Disk:
    files = {efi_name(system): unified(system, contents, options)}
    return with_gpt(volume(files, system, first=FIRST).disk, system, options)


DRIVE = _drive.Drive(_image, UEFI, (UNIFIED,))
FORMAT = _drive.drive_format(DRIVE, _drive.raw, suffix="-efi.img", media_type=_drive.RAW)
