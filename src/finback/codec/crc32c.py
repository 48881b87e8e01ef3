"""CRC-32C (Castagnoli), for headers: the standard library's crc32 has another polynomial.

Source: RFC 3720, 12.1 and B.4.
"""

from __future__ import annotations

POLYNOMIAL = 0x82F63B78


def _entry(value: int) -> int:
    for _ in range(8):
        value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
    return value


_TABLE = tuple(_entry(n) for n in range(256))


def register(data: bytes, value: int = 0xFFFFFFFF) -> int:
    """The register after *data*, not inverted at the end, as EROFS stores it."""
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value


def crc32c(data: bytes) -> int:
    """The checksum of *data*."""
    return register(data) ^ 0xFFFFFFFF
