"""What sections of the spec become can work: the kernel has the drivers, and the init runs their steps."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.assemble.bootable._drivers import drivers
from finback.ground.diagnostic import Diagnostic, Severity
from finback.resolve.plan import Plan

INIT = "docker.io/finback/init"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each driver that is missing, and one for an init that knows nothing of sections."""
    yield from _init(subject.system.plan)
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


def _init(plan: Plan) -> Iterator[Diagnostic]:
    if not plan.early or not plan.init or any(INIT in (p.reference, p.substitutes) for p in plan.init):
        return
    names = " and ".join(f"`{c.name}`" for c in plan.early)
    yield Diagnostic(
        code="F199",
        message=f"steps before `onboot` are run by finback/init, and it is not there: {names} may do nothing",
        span=plan.early[0].origin.span,
        help="write finback/init in `init:`, or use --library",
        severity=Severity.WARNING,
    )


CHECK = check
