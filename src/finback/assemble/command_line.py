"""The kernel's command line on its way to the kernel: how each loader quotes it, what it adds, and how long it may be.

The kernel takes words apart at blanks that are not within double quotes (`next_arg` in lib/cmdline.c). A loader in
between reads the line by its own rules first. Each `Way` writes it so that the kernel gets the same words, and refuses
what its loader has no way to say.

Sources for lengths: COMMAND_LINE_SIZE in arch/*/include/*/asm/setup.h of Linux 6.12, less the NUL at its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from finback.assemble.system import System
from finback.ground.diagnostic import Diagnostic, FinbackError

# Bytes that the kernel keeps; what is longer is cut off without a word. On s390x QEMU and zipl know this limit, too.
LIMITS = {"amd64": 2047, "arm64": 2047, "riscv64": 1023, "s390x": 4095}
KERNEL, INITRD = "kernel", "initrd.img"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class UnsayableError(ValueError):
    """A loader has no way to pass a command line on; the message says what stands in it that can't be."""


def words(cmdline: str) -> list[str]:
    """The words of *cmdline* as the kernel takes them apart."""
    out: list[str] = []
    word, quoted = "", False
    for character in cmdline:
        if character.isspace() and character.isascii() and not quoted:
            out += [word] if word else []
            word = ""
            continue
        quoted ^= character == '"'
        word += character
    return [*out, word] if word else out


def plain(cmdline: str) -> str:
    """One line, for what takes the line as it is."""
    for word in words(cmdline):
        if _CONTROL.search(word):
            raise UnsayableError(f"a control character in {word!r}")
    return " ".join(words(cmdline))


def syslinux(cmdline: str) -> str:
    """The value of APPEND in a configuration of SYSLINUX, ISOLINUX, PXELINUX or EXTLINUX."""
    line = plain(cmdline)
    if line == "-":
        raise UnsayableError("a single `-`, which stands for an empty line")
    if any(word.startswith("initrd=") for word in words(line)):
        raise UnsayableError("`initrd=`, by which the loader itself is told what to load")
    return line


def boot_entry(cmdline: str) -> str:
    """The value of `options` in an entry of the Boot Loader Specification, as systemd-boot reads it."""
    line = plain(cmdline)
    # It takes quotes around the whole value away.
    if len(line) > 1 and line[0] == line[-1] and line[0] in "'\"":
        raise UnsayableError(f"{line[0]} at both ends of the line")
    return line


def grub(cmdline: str) -> str:
    """Arguments of GRUB's command `linux`.

    GRUB's shell is left nothing to expand. The command itself then puts a backslash before quotes and backslashes,
    which the kernel does not take away, and double quotes around what has blanks (grub-core/lib/cmdline.c). So double
    quotes are left to it.
    """
    out = []
    for word in words(plain(cmdline)):
        bare = _unquoted(word)
        if bare is None or "'" in bare or "\\" in bare:
            raise UnsayableError(f"a quote or a backslash in {word!r}")
        out.append(bare if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", bare) else f"'{bare}'")
    return " ".join(out)


def _unquoted(word: str) -> str | None:
    """*word* without double quotes, if the kernel reads the same with one pair around it, or none; else None."""
    found = re.fullmatch(r'([^"=]*=)?"([^"]*)"', word)
    if found is not None:
        return (found[1] or "") + found[2]
    return None if '"' in word else word


def ipxe(cmdline: str) -> str:
    """Arguments of a command of an iPXE script, which knows no quotes at all."""
    line = plain(cmdline)
    if "${" in line:
        raise UnsayableError("`${`, which begins the name of a setting")
    taken = {"||", "&&", ";"}.intersection(re.split(" +", line))
    if taken:
        raise UnsayableError(f"`{taken.pop()}` as a word, which ends a command")
    if "  " in line:
        raise UnsayableError("several blanks in a row")
    return line


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a format's command line gets to the kernel."""

    name: str
    """What passes it on, for messages."""
    said: Callable[[str], str] = plain
    """The line in the loader's words. Raises UnsayableError."""
    added: Callable[[System], str] = lambda _: ""
    """What the loader puts before or behind it."""
    architectures: tuple[str, ...] | None = None
    """Where the format goes this way. None: everywhere."""
    reserved: int = 0
    """Bytes that firmware may add."""

    def write(self, system: System) -> str:
        """The system's command line in the loader's words.

        Raises:
            FinbackError: F162, the loader can't say it.

        """
        problem = next(_unsayable(system, self), None)
        if problem is not None:
            raise FinbackError(problem)
        return self.said(_cmdline(system))


def _image(kernel: str, initrd: str) -> Callable[[System], str]:
    return lambda _: f"BOOT_IMAGE={kernel} initrd={initrd} "


BIOS = ("amd64",)
DIRECT = Way(name="QEMU, or another loader that takes files")
# Whoever boots it adds where the root is, as `finback run` does.
MOUNTED = Way(name=DIRECT.name, added=lambda _: " root=/dev/nvme0n1")
SYSLINUX = Way(name="SYSLINUX", said=syslinux, added=_image(f"/{KERNEL}", f"/{INITRD}"), architectures=BIOS)
ISOLINUX = Way(name="ISOLINUX", said=syslinux, added=_image(f"/{KERNEL}", f"/{INITRD}"), architectures=BIOS)
PXELINUX = Way(name="PXELINUX", said=syslinux, added=_image(KERNEL, INITRD), architectures=BIOS)
SYSTEMD_BOOT = Way(name="systemd-boot", said=boot_entry, added=lambda _: rf"initrd=\{INITRD} ")
UNIFIED = Way(name="systemd-stub")
# Newer versions add the name of what they load for EFI kernels.
IPXE = Way(name="iPXE", said=ipxe, added=lambda _: f"initrd={INITRD} initrd=initrd.magic ")
GRUB = Way(name="GRUB", said=grub, added=lambda system: f"BOOT_IMAGE=/boot/finback-{system.name}/{KERNEL} ")
# The firmware adds what it knows of the board: about 350 bytes on a Raspberry Pi 4.
RASPBERRY_PI = Way(name="the Raspberry Pi's firmware", reserved=512)


def findings(system: System, name: str, ways: tuple[Way, ...]) -> Iterator[Diagnostic]:
    """What keeps the command line of *system* from getting to the kernel by the format *name*, which goes *ways*."""
    architecture = system.platform.architecture
    if system.boot is None:
        return
    for way in ways:
        if way.architectures is not None and architecture not in way.architectures:
            continue
        unsayable = list(_unsayable(system, way))
        yield from unsayable
        if not unsayable:
            yield from _too_long(system, name, way)


def too_long(architecture: str, text: str, reserved: int = 0) -> int:
    """By how many bytes *text* is too long for a kernel's command line; 0 when it fits."""
    limit = LIMITS.get(architecture, min(LIMITS.values()))
    return max(0, len(text.encode("utf-8", "surrogateescape")) + reserved - limit)


def _cmdline(system: System) -> str:
    return system.boot.cmdline if system.boot is not None else ""


def _unsayable(system: System, way: Way) -> Iterator[Diagnostic]:
    kernel = system.plan.kernel
    span = kernel.origin.at("cmdline") if kernel is not None else None
    try:
        way.said(_cmdline(system))
    except UnsayableError as failure:
        yield Diagnostic(
            code="F162",
            message=f"{way.name} can't pass on this command line: it has {failure}",
            span=span,
            help="write it without that, or build a format that another loader boots, such as kernel+initrd or uki",
        )


def _too_long(system: System, name: str, way: Way) -> Iterator[Diagnostic]:
    architecture = system.platform.architecture
    added = way.added(system)
    over = too_long(architecture, added + way.said(_cmdline(system)), way.reserved)
    if over:
        kernel = system.plan.kernel
        more = f", of which {way.name} takes {len(added) + way.reserved}" if added or way.reserved else ""
        limit = LIMITS.get(architecture, min(LIMITS.values()))
        yield Diagnostic(
            code="F163",
            message=f"the command line is {over} bytes too long for {name}: "
            f"a kernel for {architecture} keeps {limit}{more}",
            span=kernel.origin.at("cmdline") if kernel is not None else None,
            help="shorten it: what is for programs can stand in a file of `files:`",
        )
