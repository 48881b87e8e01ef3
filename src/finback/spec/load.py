"""Texts to a checked Spec: read them and what they extend, lay them over each other, decode and check the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import reduce

from finback.ground.diagnostic import Diagnostic, FinbackError, Severity
from finback.ground.source import Source
from finback.spec.check import check, check_parts
from finback.spec.decode import load_node
from finback.spec.extend import Fetch, Files, Parent, SpecFile
from finback.spec.layer import Layers
from finback.spec.model import Spec
from finback.spec.node import Node
from finback.spec.param import Params, Setting, from_option
from finback.spec.settings import warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A system, and what it was made of."""

    spec: Spec
    warnings: tuple[Diagnostic, ...]
    params: Mapping[str, Setting]
    parents: tuple[Parent, ...]
    """Files that were extended."""


def load_files(sources: Sequence[Source], fetch: Fetch | None = None, given: Sequence[str] = ()) -> Loaded:
    """The system that *sources* make together, later ones laid over earlier ones.

    *fetch* gets the files that these extend; *given* has values for params, as ``NAME=VALUE``.

    Raises:
        FinbackError: with every problem of every text, in the order of the texts.

    """
    files = Files(fetch)
    for source in sources:
        files.add(source)
    options = dict(from_option(text) for text in given)
    params = Params(active=not files.plain or bool(given))
    problems = [*files.problems, *params.settle(files.params, {**files.given, **options})]
    layers = Layers(params.text)

    def lay(first: Node, second: Node) -> Node:
        return layers.lay(SpecFile, first, second)

    spec = Spec()
    omitted: frozenset[str] = frozenset()
    if files.bodies:
        decoded = load_node(SpecFile, reduce(lay, files.bodies), params.fill)
        problems += [*layers.problems, *decoded.problems]
        omitted = decoded.omitted
        spec = _system(decoded.value) if decoded.value is not None else spec
    # A file that could not be read at all may have what the others refer to.
    unread = bool(files.problems or layers.problems)
    findings = list(check_parts(spec) if unread else check(spec, omitted))
    problems += [d for d in findings if d.severity is Severity.ERROR]
    if problems:
        raise FinbackError(*_in_order(problems, files.sources))
    findings += [
        warning("F055", "this is text, for no file has params", span, "declare the param under `params:`")
        for span in params.left
    ]
    warnings = tuple(_in_order(findings, files.sources))
    return Loaded(spec=spec, warnings=warnings, params=params.settings, parents=tuple(files.parents))


def load_all(sources: Sequence[Source]) -> tuple[Spec, tuple[Diagnostic, ...]]:
    """The spec that *sources* make together, which extend nothing, and the warnings about it.

    Raises:
        FinbackError: with every problem of every text, in the order of the texts.

    """
    loaded = load_files(sources)
    return loaded.spec, loaded.warnings


def load_spec(source: Source) -> Spec:
    """The spec of one text.

    Raises:
        FinbackError: with every problem of it.

    """
    return load_all((source,))[0]


def _system(file: SpecFile) -> Spec:
    return Spec(**{f.name: getattr(file, f.name) for f in fields(Spec)})


def _in_order(diagnostics: list[Diagnostic], sources: Sequence[Source]) -> list[Diagnostic]:
    """Sorted by text, line and column, so that a reader works through them downwards."""
    rank = {id(source): i for i, source in enumerate(sources)}

    def place(diagnostic: Diagnostic) -> tuple[int, int, int]:
        span = diagnostic.span
        return (rank.get(id(span.source), len(rank)), span.line, span.column) if span else (0, 0, 0)

    return sorted(diagnostics, key=place)
