"""El Torito: which images on a disc a machine may boot.

Source: El Torito 1.0, section 2; UEFI specification 2.10, 13.3.2.
"""

from __future__ import annotations

import struct

from finback.codec.iso9660.field import padded

X86, EFI = 0x00, 0xEF
# What ISOLINUX asks for: the first four sectors of 512 bytes, of which it loads the rest itself.
BIOS_LOAD = 4
INFO_TABLE = 8
INFO_END = 64
# The sector of the primary volume descriptor.
PRIMARY = 16


def boot_record(catalog: int) -> bytes:
    """The volume descriptor that leads to the catalog."""
    return padded(b"\0CD001\x01" + b"EL TORITO SPECIFICATION".ljust(64, b"\0") + struct.pack("<I", catalog))


def catalog(images: list[tuple[int, int, int]]) -> bytes:
    """The boot catalog of *images*, each a platform, a first sector and how many sectors of 512 bytes to load.

    The first is the default.

    Raises:
        ValueError: there is none.

    """
    if not images:
        raise ValueError("a boot catalog needs an image")
    validation = bytearray(struct.pack("<BBH24sHBB", 1, images[0][0], 0, b"", 0, 0x55, 0xAA))
    struct.pack_into("<H", validation, 28, -sum(struct.unpack("<16H", validation)) & 0xFFFF)
    out = bytes(validation) + _image(*images[0][1:])
    for number, (platform, sector, count) in enumerate(images[1:], 1):
        header = 0x91 if number == len(images) - 1 else 0x90
        out += struct.pack("<BBH28s", header, platform, 1, b"") + _image(sector, count)
    return padded(out)


def _image(sector: int, count: int) -> bytes:
    # Bootable, without emulation. A firmware takes an EFI image whose length does not fit to reach to the disc's end.
    return struct.pack("<BBHBBHI20s", 0x88, 0, 0, 0, 0, count if count <= 0xFFFF else 0, sector, b"")


def with_boot_info(image: bytes, sector: int) -> bytes:
    """*image*, which lies at *sector*, with the table that ISOLINUX finds itself by.

    Raises:
        ValueError: it is too short to be such a program.

    Source: mkisofs(8), "EL TORITO BOOT INFORMATION TABLE".
    """
    if len(image) <= INFO_END:
        raise ValueError("the boot image is too short for a boot information table")
    rest = image[INFO_END:]
    rest += b"\0" * (-len(rest) % 4)
    checksum = sum(struct.unpack(f"<{len(rest) // 4}I", rest)) & 0xFFFFFFFF
    table = struct.pack("<IIII40s", PRIMARY, sector, len(image), checksum, b"")
    return image[:INFO_TABLE] + table + image[INFO_END:]


def load_size(size: int) -> int:
    """How many 512-byte sectors *size* bytes are."""
    return -(-size // 512)
