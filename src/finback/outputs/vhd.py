"""A fixed VHD that UEFI firmware and a BIOS boot alike: the disk of raw and a footer."""

from __future__ import annotations

from finback.outputs import _drive, raw

FORMAT = _drive.drive_format(raw.DRIVE, _drive.in_fixed_vhd, suffix=".vhd", media_type=_drive.VHD)
