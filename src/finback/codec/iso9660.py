"""ISO 9660 images with a few small files in their root: discs that carry a machine's own data.

Subset: primary volume descriptor only, one directory, file names of at most 30 characters in any case, which Linux
reads as they are.

Source: ECMA-119, 4th edition, sections 8.4 and 9.1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

SECTOR = 2048
# One sector of directory holds this many records of the longest name.
MAX_FILES = 20


def encode(label: str, files: Mapping[str, bytes]) -> bytes:
    """An image with volume identifier *label* and *files* in its root.

    Raises:
        ValueError: too many files, or a name or label that does not fit.

    """
    if len(files) > MAX_FILES or len(label) > 32 or any(not 0 < len(n) <= 30 or "/" in n for n in files):
        raise ValueError("too many files, or a name that is too long")
    names = sorted(files)
    root, first = 20, 21
    extents, at = {}, first
    for name in names:
        extents[name] = at
        at += max(1, -(-len(files[name]) // SECTOR))
    directory = _record(b"\0", root, SECTOR, folder=True) + _record(b"\1", root, SECTOR, folder=True)
    for name in names:
        directory += _record(name.encode() + b";1", extents[name], len(files[name]), folder=False)
    path_little = struct.pack("<BBIH", 1, 0, root, 1) + b"\0\0"
    path_big = struct.pack(">BBIH", 1, 0, root, 1) + b"\0\0"
    image = bytearray(16 * SECTOR)
    image += _descriptor(label, at, root) + b"\xffCD001\x01".ljust(SECTOR, b"\0")
    image += path_little.ljust(SECTOR, b"\0") + path_big.ljust(SECTOR, b"\0") + directory.ljust(SECTOR, b"\0")
    for name in names:
        image += files[name].ljust(max(1, -(-len(files[name]) // SECTOR)) * SECTOR, b"\0")
    return bytes(image)


def _both16(value: int) -> bytes:
    return struct.pack("<H", value) + struct.pack(">H", value)


def _both32(value: int) -> bytes:
    return struct.pack("<I", value) + struct.pack(">I", value)


def _record(name: bytes, extent: int, size: int, *, folder: bool) -> bytes:
    # A fixed date, so that the same files give the same image.
    date = bytes((117, 4, 18, 16, 30, 0, 0))
    body = b"\0" + _both32(extent) + _both32(size) + date + bytes((2 if folder else 0, 0, 0)) + _both16(1)
    body += bytes((len(name),)) + name
    body += b"\0" * ((len(body) + 1) % 2)
    return bytes((len(body) + 1,)) + body


def _descriptor(label: str, sectors: int, root: int) -> bytes:
    blank_date = b"0" * 16 + b"\0"
    out = b"\x01CD001\x01\0" + b" " * 32 + label.encode().ljust(32) + b"\0" * 8 + _both32(sectors) + b"\0" * 32
    out += _both16(1) + _both16(1) + _both16(SECTOR) + _both32(10)
    out += struct.pack("<II", 18, 0) + struct.pack(">II", 19, 0) + _record(b"\0", root, SECTOR, folder=True)
    out += b" " * (128 * 4) + b" " * (37 * 3) + blank_date * 4 + b"\x01\0"
    return out.ljust(SECTOR, b"\0")
