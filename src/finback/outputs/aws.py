"""A disk to import into AWS, whose two boot modes both start it: the disk of raw.

Source: AWS, VM Import/Export User Guide, "Image formats supported by VM Import/Export" (RAW).
"""

from __future__ import annotations

from finback.outputs import _drive, raw

FORMAT = _drive.drive_format(raw.DRIVE, _drive.raw, suffix=".raw", media_type=_drive.RAW)
