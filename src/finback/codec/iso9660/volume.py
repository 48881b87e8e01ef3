"""Volume descriptors.

Source: ECMA-119, 8.3 to 8.5; Joliet, "Supplementary Volume Descriptor".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from finback.codec.iso9660.field import SECTOR, both16, both32, long_date

PREPARER = "finback"
# UCS-2, level 3 (Joliet, "Escape Sequences").
JOLIET_ESCAPE = b"%/E"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What a disc says of itself."""

    label: str
    """The volume identifier, at most 32 ASCII characters; Joliet has room for 16 of them."""
    epoch: int
    """When it was made, and the time of directories that nobody made, in seconds since 1970."""
    joliet: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a hierarchy is."""

    table_size: int
    little: int
    """First sector of the path table with the low byte first."""
    big: int
    root: bytes
    """The record of its root."""


def descriptor(volume: Volume, places: Places, size: int, *, joliet: bool) -> bytes:
    """The primary descriptor of a volume of *size* sectors, or Joliet's.

    Raises:
        ValueError: the label does not fit.

    """
    if not volume.label.isascii() or not 0 < len(volume.label) <= 32 or not volume.label.isprintable():
        raise ValueError(f"the label {volume.label!r} is not 1 to 32 printable ASCII characters")

    def text(value: str, width: int) -> bytes:
        if joliet:
            # An odd last byte is 0.
            return value[: width // 2].ljust(width // 2).encode("utf-16-be").ljust(width, b"\0")
        return value.ljust(width).encode("ascii")

    date = long_date(volume.epoch)
    out = bytes((2 if joliet else 1,)) + b"CD001\x01\0" + text("", 32) + text(volume.label, 32) + bytes(8)
    out += both32(size) + (JOLIET_ESCAPE if joliet else b"").ljust(32, b"\0")
    out += both16(1) + both16(1) + both16(SECTOR) + both32(places.table_size)
    out += struct.pack("<II", places.little, 0) + struct.pack(">II", places.big, 0) + places.root
    out += text("", 128) + text("", 128) + text(PREPARER, 128) + text("", 128) + text("", 37) * 3
    out += date + date + long_date(None) * 2 + b"\x01\0"
    return out.ljust(SECTOR, b"\0")


def terminator() -> bytes:
    """What ends the descriptors (8.3)."""
    return b"\xffCD001\x01".ljust(SECTOR, b"\0")
