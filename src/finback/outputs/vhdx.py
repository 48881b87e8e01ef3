"""A VHDX that UEFI firmware and a BIOS boot alike: the disk of raw without its holes."""

from __future__ import annotations

from finback.outputs import _drive, raw

FORMAT = _drive.drive_format(raw.DRIVE, _drive.in_vhdx, suffix=".vhdx", media_type=_drive.VHDX)
