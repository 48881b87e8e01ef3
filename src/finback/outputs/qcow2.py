"""A qcow2 disk that UEFI firmware and a BIOS boot alike: the disk of raw, compressed where that helps."""

from __future__ import annotations

from finback.outputs import _drive, raw

FORMAT = _drive.drive_format(raw.DRIVE, _drive.in_qcow2, suffix=".qcow2", media_type=_drive.QCOW2)
