"""Files that extend others: what stands in a file besides the system itself, and the files that a system is made of.

A file is laid over those that it extends. Each is read once, however many name it, and before what extends it.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.digest import Digest
from finback.ground.source import Source, Span
from finback.spec.decode import Given, document, load_node
from finback.spec.model import Spec
from finback.spec.node import Mapping as MappingNode
from finback.spec.node import Node, Scalar, Sequence
from finback.spec.param import Param
from finback.spec.settings import problem

MAX_FILES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecFile(Spec):
    """One YAML file: a system, or what it changes of others. Lists are edited by keys such as `services.remove`."""

    extends: tuple[str, ...] | None = field(default=None, metadata={"single": True})
    """Files that this one is laid over, one or a list: a path from this file, `finback/NAME` for an assembly that
    finback brings, or an artefact of a registry."""
    params: tuple[Param, ...] | None = None
    """Values that the system is made with."""
    set: Mapping[str, Given] | None = None
    """Values for params of the files that this one extends, by name."""


HEADER = ("extends", "params", "set")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A file that another extends."""

    reference: str
    """What the lock calls it."""
    source: Source
    digest: Digest
    """Of the file, or of the artefact that it is in."""


Fetch = Callable[[str, Span], Parent]
"""Gets the file that a text, at a place, names. Raises FinbackError: there is none, or it can't be read."""


class Files:
    """The documents of a system's files, in the order in which they are laid over each other."""

    def __init__(self, fetch: Fetch | None) -> None:
        self._fetch = fetch
        self.sources: list[Source] = []
        self.bodies: list[Node] = []
        self.parents: list[Parent] = []
        self.params: list[Param] = []
        self.given: dict[str, Node] = {}
        self.problems: list[Diagnostic] = []
        self.plain = True
        """No file says anything of HEADER."""
        self._open: list[str] = []

    def add(self, source: Source) -> None:
        """Take *source*, after what it extends."""
        try:
            node = document(source)
        except FinbackError as failure:
            self.sources.append(source)
            self.problems += failure.diagnostics
            return
        head, body = _parted(node)
        if head.pairs:
            self.plain = False
            decoded = load_node(SpecFile, head)
            file = decoded.value
            self.problems += decoded.problems
            if file is not None:
                self._open.append(source.name)
                for i, reference in enumerate(file.extends or ()):
                    self._extend(reference, file.origin.at("extends", i) or head.span)
                self._open.pop()
                self.params += file.params or ()
                self.given |= typing.cast("Mapping[str, Node]", file.set or {})
        self.sources.append(source)
        self.bodies.append(body)

    def _extend(self, reference: str, span: Span) -> None:
        try:
            parent = self._fetched(reference, span)
        except FinbackError as failure:
            self.problems += failure.diagnostics
            return
        name = parent.source.name
        if name in self._open:
            circle = [*self._open[self._open.index(name) :], name]
            message = "a file extends itself" if len(circle) == 2 else f"files extend each other: {' -> '.join(circle)}"
            self.problems.append(problem("F092", message, span, "remove one of these `extends`"))
        elif len(self.parents) >= MAX_FILES:
            self.problems.append(problem("F008", f"more than {MAX_FILES} files", span, "join some of them"))
        elif all(p.source.name != name for p in self.parents):
            self.parents.append(parent)
            self.add(parent.source)

    def _fetched(self, reference: str, span: Span) -> Parent:
        if "${" in reference:
            advice = "write its name; which file is extended can't depend on a param"
            raise FinbackError(problem("F091", f"{reference!r} is no name of a file", span, advice))
        if self._fetch is None:
            advice = "name the files on the command line, which merges them"
            raise FinbackError(problem("F091", "no other file can be read here", span, advice))
        return self._fetch(reference, span)


def _parted(node: Node) -> tuple[MappingNode, Node]:
    """What *node* says of HEADER, one `extends` as a list of one, and the rest of it."""
    head = MappingNode(node.span, flow=False)
    if not isinstance(node, MappingNode):
        return head, node
    rest: list[tuple[Node, Node]] = []
    for key, value in node.pairs:
        if not (isinstance(key, Scalar) and key.text in HEADER):
            rest.append((key, value))
        elif key.text == "extends" and isinstance(value, Scalar) and not value.is_null:
            head.pairs.append((key, Sequence(value.span, [value])))
        else:
            head.pairs.append((key, value))
    return head, MappingNode(node.span, node.flow, rest) if head.pairs else node
