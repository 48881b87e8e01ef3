"""The memory that the spec or a format gives the machine holds the unpacked initrd."""

from __future__ import annotations

import re
from collections.abc import Iterator

from finback.assemble import memory as rule
from finback.assemble.bootable import Subject
from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span

MEM = re.compile(r"(?:^|\s)mem=(\d{1,15})([KMGT]?)(?=\s|$)", re.IGNORECASE)
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A finding when it does not."""
    boot = subject.system.boot
    limits = [*_of_cmdline(subject), *((size * rule.MIB, name, None) for name, size in subject.memory.items())]
    if boot is None or "initrd" not in subject.roots or not limits:
        return
    tree = rule.of_system(subject.system, subject.store, subject.contents)
    limited = rule.limited(boot.cmdline)
    # How well it will be compressed is not known yet: this is the least of the least.
    needed = rule.least(tree, 0, limited=limited)
    kernel = subject.system.plan.kernel
    for size, name, span in limits:
        if size < needed:
            yield Diagnostic(
                code="F197",
                message=f"{name} gives the machine {size // rule.MIB} MiB, and this initrd needs more than "
                f"{needed // rule.MIB} MiB",
                span=span or (kernel.origin.span if kernel else None),
                help="leave images out, or use a root that is not unpacked: the format kernel+squashfs",
                notes=(f"unpacked it has {tree.bytes // rule.MIB} MiB" + (", and may take half" if limited else ""),),
            )


def _of_cmdline(subject: Subject) -> Iterator[tuple[int, str, Span | None]]:
    kernel = subject.system.plan.kernel
    # With an address (`mem=64M@16M`) it is a stretch among others.
    if kernel is None:
        return
    for number, unit in MEM.findall(kernel.cmdline):
        yield int(number) * UNITS[unit.upper()], f"mem={number}{unit}", kernel.origin.at("cmdline")


CHECK = check
