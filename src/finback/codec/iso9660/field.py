"""Numbers and dates as ECMA-119 writes them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

SECTOR = 2048


def sectors(size: int) -> int:
    """How many sectors hold *size* bytes."""
    return -(-size // SECTOR)


def padded(data: bytes) -> bytes:
    """*data* filled up to whole sectors."""
    return data + b"\0" * (-len(data) % SECTOR)


def both16(value: int) -> bytes:
    """A 16-bit number in both byte orders (7.2.3)."""
    return struct.pack("<H", value) + struct.pack(">H", value)


def both32(value: int) -> bytes:
    """A 32-bit number in both byte orders (7.3.3)."""
    return struct.pack("<I", value) + struct.pack(">I", value)


def short_date(seconds: int) -> bytes:
    """A date of a directory record (9.1.5), in UTC.

    Raises:
        ValueError: it is after 2155, for which the format has no room.

    """
    moment = datetime.fromtimestamp(seconds, UTC)
    if moment.year > 2155:
        raise ValueError(f"the year {moment.year} has no room in the format")
    return bytes(
        (moment.year - 1900, moment.month, moment.day, moment.hour, moment.minute, moment.second, 0),
    )


def long_date(seconds: int | None) -> bytes:
    """A date of a volume descriptor (8.4.26.1), in UTC; None is no date."""
    if seconds is None:
        return b"0" * 16 + b"\0"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d%H%M%S00").encode() + b"\0"
