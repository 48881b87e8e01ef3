"""A disk for Azure, generation 1 (BIOS) and 2 (UEFI): a fixed VHD of whole MiB and its footer.

Source: Microsoft, "Information for community supported and non-endorsed distributions", "General Linux system
installation notes": fixed, and a virtual size that is a multiple of 1 MiB, which the disks of all formats here have.
"""

from __future__ import annotations

from finback.outputs import _drive, raw

FORMAT = _drive.drive_format(raw.DRIVE, _drive.in_fixed_vhd, suffix="-azure.vhd", media_type=_drive.VHD)
