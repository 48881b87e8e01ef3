"""The kernel has what the root and the containers need: file systems, a bus for disks, kinds of interfaces.

A kernel image without modules.builtin does not say what is built in, and nothing is said of it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from finback.assemble.bootable import Subject
from finback.assemble.bootable._drivers import Drivers, drivers
from finback.assemble.early import DISKS
from finback.ground.diagnostic import Diagnostic, Severity

# The driver behind the file system of a root.
FILESYSTEMS = {"squashfs": "squashfs", "erofs": "erofs", "iso9660": "isofs"}
# Options with which modprobe loads nothing, or reads its modules from another place.
_NOT_LOADING = "rRdCScDn"
# Names that modules say they answer to: of file systems, protocols, devices.
_ALIAS = re.compile(r"(?:fs|net|crypto|char|block|tty|rtnl|snd|binfmt|devname|ip6?t|nft?|xt)-|.*[:*?\[/]")
INTERFACES = ("bridge", "dummy", "ipvlan", "macvlan", "tun", "veth", "vxlan", "wireguard")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each driver that is missing."""
    found = drivers(subject)
    if found is None:
        return
    yield from _roots(subject, found)
    yield from _overlay(subject, found)
    yield from _interfaces(subject, found)
    yield from _watchdog(subject, found)
    yield from _loaded(subject, found)


def _roots(subject: Subject, found: Drivers) -> Iterator[Diagnostic]:
    kernel = subject.system.plan.kernel
    span = kernel.origin.span if kernel is not None else None
    kinds = sorted(subject.roots & FILESYSTEMS.keys())
    for kind in kinds:
        if not found.has(FILESYSTEMS[kind]):
            yield Diagnostic(
                code="F194",
                message=f"the kernel has no driver for {kind}, which its root would be",
                span=span,
                help=f"use a kernel with {FILESYSTEMS[kind]}, such as finback/kernel, or the format kernel+initrd",
            )
    if kinds and not any(found.has(d) for d in DISKS):
        yield Diagnostic(
            code="F194",
            message="the kernel has no driver for any kind of disk, and its root would be on one",
            span=span,
            help="use a kernel with virtio_blk, such as finback/kernel, or the format kernel+initrd",
        )


def _overlay(subject: Subject, found: Drivers) -> Iterator[Diagnostic]:
    plan = subject.system.plan
    writable = next((c for c in plan.containers if not c.settings.readonly), None)
    if writable is not None and plan.kernel is not None and not found.has("overlay"):
        yield Diagnostic(
            code="F194",
            message=f"the kernel has no overlay, and the root of {writable.name} is one",
            span=plan.kernel.origin.span,
            help=f"use a kernel with it, such as finback/kernel, or make {writable.name} `readonly: true`",
        )


def _interfaces(subject: Subject, found: Drivers) -> Iterator[Diagnostic]:
    for container in subject.system.plan.containers:
        runtime = container.settings.runtime
        for interface in (runtime.interfaces if runtime else None) or ():
            kind = interface.add or ("veth" if interface.peer else "")
            if kind in INTERFACES and not found.has(kind):
                yield Diagnostic(
                    code="F194",
                    message=f"the kernel has no {kind}, which the interface {interface.name} of {container.name} is",
                    span=container.origin.at("runtime"),
                    help=f"use a kernel with {kind}, or leave the interface out",
                    severity=Severity.WARNING,
                )


def _watchdog(subject: Subject, found: Drivers) -> Iterator[Diagnostic]:
    """Without hardware that is one, finback/init takes Linux's own."""
    kernel = subject.system.plan.kernel
    asked = kernel is not None and any(w.startswith("finback.watchdog=") for w in kernel.cmdline.split())
    if kernel is not None and asked and not found.has("softdog"):
        yield Diagnostic(
            code="F194",
            message="the kernel has no softdog, and a machine without a watchdog of its own is not restarted",
            span=kernel.origin.at("cmdline"),
            help="use a kernel with it, such as finback/kernel, or leave `finback.watchdog=` out",
            severity=Severity.WARNING,
        )


def _loaded(subject: Subject, found: Drivers) -> Iterator[Diagnostic]:
    """What steps load by name, as `modprobe vcan`."""
    for container in subject.system.plan.containers:
        missing = [n for n in modprobed(container.settings.command or ()) if not found.has(n.replace("-", "_"))]
        if missing:
            yield Diagnostic(
                code="F194",
                message=f"the kernel has no {' and no '.join(missing)}, which {container.name} loads",
                span=container.origin.at("command"),
                help="use a kernel with it, such as a component of your own with `kernel: modules:`, or leave it out",
                severity=Severity.WARNING,
            )


def modprobed(command: Sequence[str]) -> list[str]:
    """The modules that *command* loads when it is one of modprobe: the first word, or with `-a` all of them.

    What may be an alias, which stands for a module (`fs-ext4`, `pci:v00008086*`), is left out. Source: modprobe(8).
    """
    if not command or posixpath.basename(command[0]) != "modprobe":
        return []
    options = [w for w in command[1:] if w.startswith("-")]
    words = [w for w in command[1:] if not w.startswith("-")]
    letters = "".join(o[1:] for o in options if not o.startswith("--"))
    if set(letters) & set(_NOT_LOADING) or any(o.startswith("--") and o != "--all" for o in options):
        return []
    names = words if "a" in letters or "--all" in options else words[:1]
    return [n for n in names if not _ALIAS.match(n)]


CHECK = check
