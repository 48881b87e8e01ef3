"""The kernel has the drivers that sections of the spec need."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.assemble.bootable._drivers import drivers
from finback.ground.diagnostic import Diagnostic


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each driver that is missing."""
    needed = subject.system.plan.drivers
    found = drivers(subject) if needed else None
    if found is None:
        return
    for driver in needed:
        if not found.has(driver.name):
            yield Diagnostic(
                code="F194",
                message=f"the kernel has no {driver.name}, which {driver.user} needs",
                span=driver.origin.span,
                help=f"use a kernel with {driver.name}, such as finback/kernel",
            )


CHECK = check
