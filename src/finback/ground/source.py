"""Where a value came from: a text, and positions in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A text that somebody wrote, under the name that they know it by."""

    name: str
    text: str = field(repr=False)

    def line(self, number: int) -> str:
        """Line *number* (0-based) without its end, or "" past the end of the text."""
        lines = _lines(self.text)
        return lines[number] if 0 <= number < len(lines) else ""


@lru_cache(maxsize=8)
def _lines(text: str) -> list[str]:
    """Split once: whoever looks for a place asks for one line after the other."""
    return text.splitlines()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one line. Line and column count from 0 and are shown from 1."""

    source: Source
    line: int
    column: int
    length: int = 1
    params: tuple[str, ...] = ()
    """Names of the params that the value there is made of."""

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line + 1}:{self.column + 1}"


Step = str | int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record stands in its text, and where each value inside it stands.

    A record keeps one Origin, left out of equality, instead of wrapping each value: numbers, switches and strings
    then stay plain Python values. A value is named by the steps that lead to it: ``("binds", 2)``.
    """

    span: Span | None = None
    spans: Mapping[tuple[Step, ...], Span] = field(default_factory=dict)

    def at(self, *steps: Step) -> Span | None:
        """The position of the value at *steps*, or of the nearest thing that encloses it."""
        while steps:
            if steps in self.spans:
                return self.spans[steps]
            steps = steps[:-1]
        return self.span


NOWHERE = Origin()


def origin() -> Origin:
    """Declare the field that remembers a record's place: not compared, not hashed, not shown."""
    return field(default=NOWHERE, compare=False, repr=False, kw_only=True)
