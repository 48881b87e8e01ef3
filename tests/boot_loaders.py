"""Boot loaders that look like the real ones to whoever installs them, and boot nothing."""

from __future__ import annotations

import struct

from finback.outputs import rpi
from finback.tree.content import Inline
from finback.tree.entry import File


def stub() -> bytes:
    """A PE32+ image with two sections, and room for more."""
    optional = struct.pack("<HBBIIIII", 0x20B, 0, 0, 512, 512, 0, 0x1000, 0x1000)
    optional += struct.pack("<QII", 0x10000, 0x1000, 0x200) + bytes(16) + struct.pack("<III", 0x3000, 0x400, 0)
    optional = optional.ljust(112, b"\0") + bytes(128)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 2, 0, 0, 0, len(optional), 0x22)
    text = struct.pack("<8sIIIIIIHHI", b".text", 5, 0x1000, 0x200, 0x400, 0, 0, 0, 0, 0x60000020)
    sbat = struct.pack("<8sIIIIIIHHI", b".sbat", 7, 0x2000, 0x200, 0x600, 0, 0, 0, 0, 0x40000040)
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + coff + optional + text + sbat
    return head.ljust(0x400, b"\0") + b"hello".ljust(0x200, b"\0") + b"sbat,1\n".ljust(0x200, b"\0")


def syslinux() -> bytes:
    """An installer's program with a loader of three sectors in it."""
    boot = b"\xeb\x58\x90SYSLINUX".ljust(90, b"\0") + b"code"
    boot = boot.ljust(510, b"\0") + b"\x55\xaa"
    system = b"\r\nSYSLINUX 6.04 \0".ljust(24, b"\0")
    system += struct.pack("<IIHHIIHH", 0x3EB202FE, 1, 0, 0, 0, 0, 127, 64)
    system = system.ljust(64, b"\0") + struct.pack("<10H", 100, 120, 8, 128, 8, 140, 4, 400, 404, 408)
    system = system.ljust(3 * 512, b"\x11")
    module = b"\x7fELF\1\1\1".ljust(32, b"\0") + struct.pack("<I10xHH", 52, 40, 1)
    module = module.ljust(92, b"\0")
    return b"\x7fELF".ljust(512, b"\2") + boot + system + module + b"more of the program"


def components() -> dict[str, list]:
    """The trees of the components that formats take boot loaders from."""

    def files(**contents: bytes) -> list:
        return [File(path=p, content=Inline(c)) for p, c in contents.items()]

    efi = "usr/lib/systemd/boot/efi"
    return {
        "systemd-boot": files(**{f"{efi}/linuxx64.efi.stub": stub(), f"{efi}/systemd-bootx64.efi": stub()}),
        "raspberrypi": files(
            **{f"{rpi.FIRMWARE}/{f}": f.encode() for b in rpi.BOARDS for f in (*b.firmware, *b.trees)}
        ),
        "isolinux": files(
            **{
                "usr/lib/ISOLINUX/isolinux.bin": b"i" * 5000,
                "usr/lib/ISOLINUX/isohdpfx.bin": b"h" * 432,
                "usr/lib/syslinux/modules/bios/ldlinux.c32": b"l" * 3000,
            }
        ),
        "pxelinux": files(
            **{"usr/lib/PXELINUX/pxelinux.0": b"p" * 3000, "usr/lib/syslinux/modules/bios/ldlinux.c32": b"l" * 3000}
        ),
        "syslinux": files(
            **{
                "usr/bin/syslinux": syslinux(),
                "usr/lib/SYSLINUX/mbr.bin": b"m" * 440,
                "usr/lib/SYSLINUX/gptmbr.bin": b"g" * 440,
            }
        ),
    }
