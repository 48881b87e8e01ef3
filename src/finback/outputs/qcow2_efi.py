"""A qcow2 disk that UEFI firmware boots: the disk of raw-efi, compressed where that helps."""

from __future__ import annotations

from finback.outputs import _drive, raw_efi

FORMAT = _drive.drive_format(raw_efi.DRIVE, _drive.in_qcow2, suffix="-efi.qcow2", media_type=_drive.QCOW2)
