"""Kernel images: which architecture one is for.

Subset: bzImage, and the Image files of arm64 and riscv64. Other forms (gzip'd ones, s390x) are not recognised.

Source: Linux's Documentation/arch: x86/boot.rst, arm64/booting.rst, riscv/boot-image-header.rst.
"""

from __future__ import annotations

HEAD = 0x210
_MAGICS = (
    (0x202, b"HdrS", "amd64"),
    (0x38, b"ARM\x64", "arm64"),
    (0x38, b"RSC\x05", "riscv64"),
)


def architecture(head: bytes) -> str:
    """The architecture, in OCI's words, of the kernel whose first HEAD bytes are *head*; "" when it does not say."""
    for offset, magic, name in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return name
    return ""
