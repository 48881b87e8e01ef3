"""A dynamic VHD that UEFI firmware and a BIOS boot alike: the disk of raw without its holes."""

from __future__ import annotations

from finback.outputs import _drive, raw

# LinuxKit's name is that of `vhd` (compat 3.3).
FORMAT = _drive.drive_format(
    raw.DRIVE, _drive.in_dynamic_vhd, suffix="-dynamic.vhd", media_type=_drive.VHD, also=(".vhd",)
)
