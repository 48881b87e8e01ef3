"""Errors as values: what is wrong, where, and how to mend it.

Inner code raises FinbackError with one Diagnostic or many; `finback.cli.render` shows them; nothing else prints. A code
is stable and belongs to a family, and the family gives the exit status.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from finback.ground.source import Span


class Family(enum.Enum):
    """What kind of thing went wrong. The value is the first digit of the code; `status` is the exit status."""

    SPEC = "F0"
    """A file that the user wrote is wrong."""
    INPUT = "F1"
    """Something that was read from elsewhere (image, package, archive) is not what it should be."""
    NETWORK = "F2"
    """Something elsewhere could not be reached."""
    TRUST = "F3"
    """A signature or digest does not hold."""
    STORE = "F4"
    """The local store or an output could not be read or written."""
    MACHINE = "F5"
    """This machine lacks something: a tool, a permission, a feature."""
    LOCK = "F6"
    """The lock file and the world differ."""
    GUEST = "F7"
    """The machine that was started did not do what it should."""
    INTERNAL = "F9"
    """finback itself is at fault."""

    @property
    def status(self) -> int:
        """The exit status of a command that ends with an error of this family."""
        return {"F2": 3, "F3": 4, "F4": 5, "F5": 5, "F7": 6, "F9": 70}.get(self.value, 1)


class Severity(enum.Enum):
    """How much it matters."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding: a stable code, a sentence, a place, a remedy."""

    code: str
    message: str
    span: Span | None = None
    help: str = ""
    """What to do about it. One or more lines."""
    notes: tuple[str, ...] = ()
    """Further facts, a line each, in the order to be shown."""
    severity: Severity = Severity.ERROR

    @property
    def family(self) -> Family:
        """The family that the code belongs to."""
        return Family(self.code[:2])


class FinbackError(Exception):
    """One or more diagnostics that end the work in hand."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(d.message for d in diagnostics))
        self.diagnostics = diagnostics

    @property
    def status(self) -> int:
        """The exit status: that of the gravest family, trust before all others."""
        statuses = {d.family.status for d in self.diagnostics}
        return 4 if 4 in statuses else max(statuses, default=1)


def error(
    code: str, message: str, span: Span | None = None, *, help: str = "", notes: Iterable[str] = ()
) -> FinbackError:
    """An exception with one diagnostic."""
    return FinbackError(Diagnostic(code=code, message=message, span=span, help=help, notes=tuple(notes)))


@contextmanager
def blame(span: Span | None) -> Iterator[None]:
    """Give errors from code that knows nothing of YAML the place in the file that asked for the work.

    The innermost place wins: a diagnostic that has a place keeps it.
    """
    try:
        yield
    except FinbackError as failure:
        if span is not None:
            failure.diagnostics = tuple(d if d.span else replace(d, span=span) for d in failure.diagnostics)
        raise
