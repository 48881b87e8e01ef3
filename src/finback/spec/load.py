"""Texts to a checked Spec: decode each, merge them in order, check the whole."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from finback.ground.diagnostic import Diagnostic, FinbackError, Severity
from finback.ground.source import Source
from finback.spec.check import check, check_parts
from finback.spec.decode import load_partly
from finback.spec.merge import merge
from finback.spec.model import Spec


def load_all(sources: Sequence[Source]) -> tuple[Spec, tuple[Diagnostic, ...]]:
    """The spec that *sources* make together, later ones laid over earlier ones, and the warnings about it.

    Raises:
        FinbackError: with every problem of every text, in the order of the texts.

    """
    specs: list[Spec] = []
    problems: list[Diagnostic] = []
    for source in sources:
        spec, found = load_partly(Spec, source)
        problems += found
        if spec is not None:
            specs.append(spec)
    merged = reduce(merge, specs) if specs else Spec()
    # Where a part could not be read, what others say of it would be reported wrongly.
    findings = list(check_parts(merged) if problems else check(merged))
    problems += [d for d in findings if d.severity is Severity.ERROR]
    if problems:
        raise FinbackError(*_in_order(problems, sources))
    return merged, tuple(_in_order(findings, sources))


def load_spec(source: Source) -> Spec:
    """The spec of one text.

    Raises:
        FinbackError: with every problem of it.

    """
    return load_all((source,))[0]


def _in_order(diagnostics: list[Diagnostic], sources: Sequence[Source]) -> list[Diagnostic]:
    """Sorted by text, line and column, so that a reader works through them downwards."""
    rank = {id(source): i for i, source in enumerate(sources)}

    def place(diagnostic: Diagnostic) -> tuple[int, int, int]:
        span = diagnostic.span
        return (rank.get(id(span.source), 0), span.line, span.column) if span else (0, 0, 0)

    return sorted(diagnostics, key=place)
