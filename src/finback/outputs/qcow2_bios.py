"""A qcow2 disk that a BIOS boots: the disk of raw-bios, compressed where that helps."""

from __future__ import annotations

from finback.outputs import _drive, raw_bios

# LinuxKit's name has no `-bios` (compat 3.3).
FORMAT = _drive.drive_format(
    raw_bios.DRIVE, _drive.in_qcow2, suffix="-bios.qcow2", media_type=_drive.QCOW2, also=(".qcow2",)
)
