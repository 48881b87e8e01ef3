"""Something runs the steps that sections of the spec add: finback's own init does."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.assemble.bootable._facts import Questions, of_root
from finback.ground.diagnostic import Diagnostic

PROGRAM = "/usr/lib/finback/boot"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A finding where another init would pass them over."""
    plan = subject.system.plan
    if not plan.early or not plan.init or of_root(subject, Questions(paths=(PROGRAM,))).there[0]:
        return
    first = plan.early[0]
    yield Diagnostic(
        code="F199",
        message=f"nothing in `init:` would run {first.name}, which {first.image.reference} is for",
        span=first.origin.span,
        help="add finback/init to `init:`; other inits know nothing of this section",
    )


CHECK = check
