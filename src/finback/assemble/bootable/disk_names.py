"""Disks have the names that the system uses: LinuxKit's machines have /dev/sda, `finback run` gives /dev/vda.

Source: the kernel's Documentation/admin-guide/devices.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.source import Span
from finback.resolve.plan import Container

_SCSI = re.compile(r"/dev/sd[a-z][0-9]*(?![A-Za-z0-9])")
_VIRTIO = re.compile(r"/dev/vd[a-z]|/dev/disk/|LABEL=|UUID=")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A warning where a disk is named as one of SATA, SCSI or USB, and none is found in another way."""
    plan = subject.system.plan
    if not subject.roots - {""}:
        return
    named = [u for c in plan.containers for u in _uses(c)]
    if plan.kernel is not None:
        named.append((plan.kernel.cmdline, plan.kernel.origin.at("cmdline")))
    if any(_VIRTIO.search(text) for text, _ in named):
        return
    for text, span in named:
        found = _SCSI.search(text)
        if found is not None:
            yield Diagnostic(
                code="F177",
                message=f"{found[0]} is a disk of SATA, SCSI or USB; those of `finback run` are virtio: /dev/vda",
                span=span,
                help="run it with `--disk FILE,bus=sata`, write /dev/vda, or let `disks:` find the disk by what it is",
                severity=Severity.WARNING,
            )
            return


def _uses(container: Container) -> Iterator[tuple[str, Span | None]]:
    """Texts of a container that can name a disk, and where they are."""
    settings, at = container.settings, container.origin.at
    for word in settings.command or ():
        yield word, at("command")
    for bind in settings.binds or ():
        yield bind, at("binds")
    for device in settings.devices or ():
        yield device.path, device.origin.at("path")
    runtime = settings.runtime.mounts if settings.runtime is not None else None
    for mount in (*(settings.mounts or ()), *(runtime or ())):
        yield mount.source or "", mount.origin.at("source")


CHECK = check
