"""Progress as values: the work emits events, a display decides what becomes of them.

Inner functions return values and know nothing of progress; the application layer emits around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from finback.ground.diagnostic import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A piece of work began. `task` names it within this run; `total` is in `unit`, when known."""

    task: str
    title: str
    total: int | None = None
    unit: str = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """`done` units of the work are behind us."""

    task: str
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The work ended well. `cached`: the result was there already."""

    task: str
    cached: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The work ended badly; the error itself is raised."""

    task: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A fact that the user should see: a substitution, a choice made for them."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something that may be wrong but does not stop the work."""

    diagnostic: Diagnostic


Event = Started | Advanced | Finished | Failed | Noted | Warned
Emit = Callable[[Event], None]


def silent(event: Event) -> None:
    """Drop *event*: the display of library users and tests that want none."""


def once(emit: Emit) -> Emit:
    """*emit*, to which the same note or warning is passed only once: several builds and boots may have it to say."""
    said: set[tuple[str, ...]] = set()

    def passed(event: Event) -> None:
        if isinstance(event, Noted | Warned):
            key = (event.text,) if isinstance(event, Noted) else _identity(event.diagnostic)
            if key in said:
                return
            said.add(key)
        emit(event)

    return passed


def _identity(diagnostic: Diagnostic) -> tuple[str, ...]:
    return (diagnostic.code, diagnostic.message, str(diagnostic.span or ""))


@contextmanager
def task(emit: Emit, name: str, title: str, total: int | None = None) -> Iterator[None]:
    """Emit Started, and Finished or Failed, around a block."""
    emit(Started(task=name, title=title, total=total))
    try:
        yield
    except BaseException as failure:
        emit(Failed(task=name, message=str(failure)))
        raise
    emit(Finished(task=name))
