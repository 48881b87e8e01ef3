"""A stream-optimized VMDK that UEFI firmware and a BIOS boot alike: the disk of raw, compressed."""

from __future__ import annotations

from finback.outputs import _drive, raw

FORMAT = _drive.drive_format(raw.DRIVE, _drive.in_vmdk, suffix=".vmdk", media_type=_drive.VMDK)
