"""Kernel images: which architecture one is for, and which version it says it is.

Subset: bzImage; the Image files of arm64 and riscv64 and the image of s390x, which carry no version. Others, such as
gzip'd ones, are not recognised.

Source: Linux's Documentation/arch: x86/boot.rst, arm64/booting.rst, riscv/boot-image-header.rst; the entry point of
arch/s390/boot/head.S.
"""

from __future__ import annotations

HEAD = 0x10010
# A bzImage's set-up code, where its version is, has at most 64 sectors.
VERSION_HEAD = 64 * 512
_MAGICS = (
    (0x202, b"HdrS", "amd64"),
    (0x38, b"ARM\x64", "arm64"),
    (0x38, b"RSC\x05", "riscv64"),
    (0x10008, b"S390EP", "s390x"),
)


def architecture(head: bytes) -> str:
    """The architecture, in OCI's words, of the kernel whose first HEAD bytes are *head*; "" when it does not say."""
    for offset, magic, name in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return name
    return ""


def version(head: bytes) -> str:
    """The version, as `uname -r` prints it, of the kernel whose first VERSION_HEAD bytes are *head*; "" when it does
    not say.
    """
    if architecture(head) != "amd64":
        return ""
    at = int.from_bytes(head[0x20E:0x210], "little") + 0x200
    text = head[at : at + 128].split(b"\0")[0].split(b" ")[0]
    return text.decode("ascii") if at > 0x200 and text.isascii() else ""
