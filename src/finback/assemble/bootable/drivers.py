"""The kernel has what the root and the containers need: file systems, a bus for disks, kinds of interfaces.

A kernel image without modules.builtin does not say what is built in, and nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.assemble.bootable._drivers import Drivers, drivers
from finback.assemble.early import DISKS
from finback.ground.diagnostic import Diagnostic, Severity

# The driver behind the file system of a root.
FILESYSTEMS = {"squashfs": "squashfs", "erofs": "erofs", "iso9660": "isofs"}
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


CHECK = check
