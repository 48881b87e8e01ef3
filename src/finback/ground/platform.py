"""Platforms, in the words of the OCI image specification, and what other worlds call them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One instruction set under its several names."""

    oci: str
    """Go's and OCI's word (``GOARCH``)."""
    debian: str
    """dpkg's word."""
    kernel: str
    """What ``uname -m`` prints."""
    triplet: str
    """Debian's multiarch triplet."""
    elf_machine: int
    """``e_machine`` in an ELF header."""
    loader: str
    """The ELF interpreter that Debian's programs name."""


ARCHITECTURES = {
    a.oci: a
    for a in (
        Architecture(
            oci="amd64",
            debian="amd64",
            kernel="x86_64",
            triplet="x86_64-linux-gnu",
            elf_machine=62,
            loader="/lib64/ld-linux-x86-64.so.2",
        ),
        Architecture(
            oci="arm64",
            debian="arm64",
            kernel="aarch64",
            triplet="aarch64-linux-gnu",
            elf_machine=183,
            loader="/lib/ld-linux-aarch64.so.1",
        ),
        Architecture(
            oci="riscv64",
            debian="riscv64",
            kernel="riscv64",
            triplet="riscv64-linux-gnu",
            elf_machine=243,
            loader="/lib/ld-linux-riscv64-lp64d.so.1",
        ),
        Architecture(
            oci="s390x",
            debian="s390x",
            kernel="s390x",
            triplet="s390x-linux-gnu",
            elf_machine=22,
            loader="/lib/ld64.so.1",
        ),
    )
}

_ALIASES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """An operating system and an architecture, as in an OCI image index.

    Source: OCI image specification 1.1, image-index.md, property ``platform``.
    """

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``linux/arm64``, ``linux/arm64/v8`` or just ``arm64`` (also ``aarch64``, ``x86_64``).

        Raises:
            ValueError: the architecture is not one that finback builds for.

        """
        parts = text.split("/")
        if len(parts) == 1:
            parts = ["linux", *parts]
        architecture = _ALIASES.get(parts[1], parts[1])
        if parts[0] != "linux" or architecture not in ARCHITECTURES or len(parts) > 3:
            known = ", ".join(ARCHITECTURES)
            raise ValueError(f"{text!r} is not a platform that finback builds for (known: {known})")
        return cls("linux", architecture, parts[2] if len(parts) == 3 else "")

    @property
    def names(self) -> Architecture:
        """The architecture under its several names."""
        return ARCHITECTURES[self.architecture]

    def __str__(self) -> str:
        return "/".join(p for p in (self.os, self.architecture, self.variant) if p)
