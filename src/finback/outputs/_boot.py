"""What formats that bring their own boot loader are made of: kernel, initrd, unified image, boot partitions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain, groupby
from typing import cast
from uuid import UUID, uuid5

from finback.assemble.command_line import SYSLINUX as WAY
from finback.assemble.command_line import UNIFIED
from finback.assemble.system import Boot, Contents, Piece, System
from finback.codec import disk, fat, linux_image, pe, syslinux
from finback.codec.disk import Disk
from finback.ground.diagnostic import FinbackError, error
from finback.outputs import Options
from finback.outputs.kernel_plus_initrd import initrd
from finback.tree.content import Inline, Stretch
from finback.tree.entry import File

SYSTEMD_BOOT = "systemd-boot"
SYSLINUX = "syslinux"
LABEL = "FINBACK"
# Larger runs of bytes go to the store before they are placed.
INLINE_LIMIT = 1 << 20
LOADER_LIMIT = 16 << 20
# Loaders for whatever UEFI firmware boots, as `Format.loaders` has them.
UEFI = dict.fromkeys(("amd64", "arm64", "riscv64"), (SYSTEMD_BOOT,))
_EFI_NAMES = {"amd64": "x64", "arm64": "aa64", "riscv64": "riscv64"}
_FOLDER = "usr/lib/systemd/boot/efi"
# What a unified image says of its own generation, next to the stub's.
_SBAT = ("uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/",)

Files = Mapping[str, Iterable[Stretch] | None]
"""The files of a volume by their paths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What is booted, each part as long as it will be."""

    kernel: Disk
    initrd: Disk
    cmdline: str


def boot(system: System) -> Boot:
    """What is loaded before the root file system.

    Raises:
        FinbackError: F024, the system has no kernel.

    """
    if system.boot is None:
        raise error("F024", "there is nothing to boot: the spec names no kernel", help="add a `kernel:` section")
    return system.boot


def parts(system: System, contents: Contents, options: Options) -> Parts:
    """Kernel, initrd and command line. What has to be made for them is in the store afterwards."""
    found = boot(system)
    return Parts(
        kernel=(found.kernel,), initrd=settled(initrd(system, contents, options), contents), cmdline=found.cmdline
    )


def settled(pieces: Iterable[Piece], contents: Contents) -> Disk:
    """*pieces* as a value whose size is known: long runs of bytes are put into the store."""
    out: list[Stretch] = []
    for made, run in groupby(pieces, lambda p: isinstance(p, bytes)):
        if made:
            out.append(_held(cast("Iterator[bytes]", run), contents))
        else:
            out += cast("Iterator[Stretch]", run)
    return tuple(s for s in out if s.size)


def _held(run: Iterator[bytes], contents: Contents) -> Stretch:
    head = bytearray()
    for piece in run:
        head += piece
        if len(head) > INLINE_LIMIT:
            return contents.keep(chain((bytes(head),), run))
    return Inline(bytes(head))


def identity(system: System, name: str) -> UUID:
    """The same name in the same system is the same; all others are different."""
    # Which formats are made, and with what, is no part of the system.
    plan = replace(system.plan, outputs=(), loaders=())
    return uuid5(UUID(plan.digest().encoded[:32]), name)


def serial(system: System, name: str) -> int:
    """The number of a FAT volume or of a disk."""
    return int.from_bytes(identity(system, name).bytes[:4], "little")


def title(system: System) -> str:
    """What a boot menu shows: the build's name, in characters that need no quotes anywhere."""
    return re.sub(r"[^A-Za-z0-9._ -]", "_", system.name)


def efi_name(system: System) -> str:
    """Where firmware looks for what to boot from removable media (UEFI 2.10, section 3.5.1.1)."""
    return f"EFI/BOOT/BOOT{_EFI_NAMES[system.platform.architecture].upper()}.EFI"


def boot_manager(system: System, contents: Contents) -> bytes:
    """systemd-boot."""
    return program(contents, SYSTEMD_BOOT, f"{_FOLDER}/systemd-boot{_EFI_NAMES[system.platform.architecture]}.efi")


def program(contents: Contents, component: str, path: str) -> bytes:
    """A file of a component with boot loaders.

    Raises:
        FinbackError: F158, it is not there.

    """
    entry = contents.loader(component).get(path)
    if not isinstance(entry, File) or entry.content.size > LOADER_LIMIT:
        raise unfit(component, f"it has no file /{path}")
    return b"".join(bytes(c) for c in contents.read(entry.content))


def unfit(component: str, reason: object) -> FinbackError:
    """The error to raise when a boot loader is not as it should be."""
    return error(
        "F158",
        f"component {component} can't be used to boot: {reason}",
        help="its package has another form in this suite, or the system is too large: use Debian's stable suite, "
        "or another format",
    )


def unified(system: System, contents: Contents, options: Options) -> Disk:
    """Kernel, initrd and command line as one program for UEFI.

    Source: UAPI group, Unified Kernel Image, "UKI Components"; systemd-stub(7).
    """
    made = parts(system, contents, options)
    stub = program(contents, SYSTEMD_BOOT, f"{_FOLDER}/linux{_EFI_NAMES[system.platform.architecture]}.efi.stub")
    release = f'ID=finback\nNAME="finback"\nPRETTY_NAME="{title(system)}"\n'
    version = _kernel_version(made.kernel, contents)
    try:
        sections = [
            pe.Section(".sbat", (Inline(pe.sbat(_SBAT, pe.section(stub, ".sbat"))),)),
            pe.Section(".osrel", (Inline(release.encode()),)),
            *([pe.Section(".uname", (Inline(version.encode()),))] if version else ()),
            pe.Section(".cmdline", (Inline(UNIFIED.write(system).encode()),)),
            pe.Section(".initrd", made.initrd),
            pe.Section(".linux", made.kernel),
        ]
        return pe.add(stub, sections)
    except ValueError as failure:
        raise unfit(SYSTEMD_BOOT, failure) from None


def _kernel_version(kernel: Disk, contents: Contents) -> str:
    head = bytearray()
    for chunk in disk.content(kernel, contents.read):
        head += chunk
        if len(head) >= linux_image.VERSION_HEAD:
            break
    return linux_image.version(bytes(head))


def volume(
    files: Files, system: System, *, first: int, code: bytes = b"", bits: int = 32, cluster: int = 1
) -> fat.Volume:
    """A boot partition, which begins at sector *first* of its disk.

    Raises:
        FinbackError: F159, the files do not fit on FAT.

    """
    settings = fat.Settings(
        label=LABEL,
        serial=serial(system, "boot volume"),
        epoch=system.epoch,
        first=first,
        bits=bits,
        cluster=cluster,
        boot=code,
    )
    try:
        return fat.encode(files, settings)
    except ValueError as failure:
        raise error("F159", f"the boot partition can't be made: {failure}", help="make the image smaller") from None


def syslinux_volume(files: Files, system: System, contents: Contents, first: int) -> Disk:
    """A boot partition with *files* that a BIOS boots from, too."""
    try:
        loader = syslinux.extract(program(contents, SYSLINUX, "usr/bin/syslinux"))
        files = {**files, syslinux.LOADER: (Inline(loader.system),), syslinux.MODULE: (Inline(loader.module),)}
        # Where the loader lies depends on sizes alone, so it is the same the second time.
        at = volume(files, system, first=first).offsets[syslinux.LOADER] // disk.SECTOR
        code, body = syslinux.installed(loader, at)
    except ValueError as failure:
        raise unfit(SYSLINUX, failure) from None
    return volume({**files, syslinux.LOADER: (Inline(body),)}, system, first=first, code=code).disk


def syslinux_files(made: Parts, system: System) -> dict[str, Iterable[Stretch] | None]:
    """Kernel, initrd and the configuration that boots them at once."""
    # NOESCAPE: a key that hangs, or noise on a serial line, must not stop the boot.
    text = "PROMPT 0\nNOESCAPE 1\nDEFAULT finback\nLABEL finback\n  LINUX /kernel\n  INITRD /initrd.img\n"
    text += f"  APPEND {WAY.write(system)}\n"
    return {"kernel": made.kernel, "initrd.img": made.initrd, "syslinux.cfg": (Inline(text.encode()),)}
