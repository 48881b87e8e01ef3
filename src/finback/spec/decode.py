"""YAML to records: each field's type decides what its value means, and every problem of a text is reported.

Records are dataclasses whose fields are texts, numbers, switches, words (`Literal`), tuples, `Mapping[str, str]`,
`int | str`, `Given` (the node itself), and records. A field's key is its name or its metadata's `key`; its field
`origin` receives the positions. A key with nothing after it counts as not given. Anchors, aliases and merge keys (`<<`)
work.

Source: YAML 1.2.2; the merge key from YAML 1.1's type repository.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.source import Origin, Source, Span, Step
from finback.spec import hint, remedy, scalar
from finback.spec.node import MAX_NODES, Mapping, Node, Scalar, Sequence, compose, too_large

T = TypeVar("T")
EXTENSION = "x-"
"""How keys of the root begin that say nothing, and may hold anything: places for anchors (as in Compose files)."""
_BAD: Any = object()
"""Stands for a value that has a problem, which is reported already."""
_CONTENT = ("contents", "send", "contains")
"""Fields that hold any characters, NUL as well: contents of files and what goes over a network."""
_Spans = dict[tuple[Step, ...], Span]
Fill = Callable[[Scalar], Node]
"""Puts values in the place of what stands for them in a scalar; raises MisfitError."""


class Given:
    """The type of a field whose value is the node itself, to be read once its type is known."""


def load(cls: type[T], source: Source) -> T:
    """Decode *source* as a record of class *cls*. An empty text is a record without fields.

    Raises:
        FinbackError: with every problem: F001 not YAML, F002 wrong kind of value, F003 wrong scalar, F004 unknown key,
            F005 duplicate key, F006 missing key, F007 not one of the allowed words, F008 too large or nested, F009 not
            text, F031 a LinuxKit template.

    """
    value, problems = load_partly(cls, source)
    if problems:
        raise FinbackError(*problems)
    return typing.cast("T", value)


def load_partly(cls: type[T], source: Source) -> tuple[T | None, tuple[Diagnostic, ...]]:
    """What of *source* can be decoded, and the problems of the rest, in the order of the text.

    What has a problem is left out: a field, a list's element, a record inside another; the root and the elements of its
    lists stay if they have the keys that they need. None when the text is not YAML, or the root itself lacks a key.
    """
    try:
        node = document(source)
    except FinbackError as failure:
        return None, failure.diagnostics
    decoded = load_node(cls, node)
    return decoded.value, decoded.problems


def document(source: Source) -> Node:
    """The document of *source*; a mapping without keys when it is empty.

    Raises:
        FinbackError: whatever `compose` raises.

    """
    node = compose(source)
    if node is None or (isinstance(node, Scalar) and node.is_null):
        return Mapping(Span(source, 0, 0), flow=False)
    return node


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded(Generic[T]):
    """What of a document could be read."""

    value: T | None
    """None when the root itself could not be read."""
    problems: tuple[Diagnostic, ...] = ()
    """In the order of the text."""
    omitted: frozenset[str] = frozenset()
    """What is missing from `value` because it has a problem: `SECTION` where a key of the root, or an element of the
    list that it holds, was left out; `SECTION.KEY` where that happened to a key of such an element or record."""


def load_node(cls: type[T], node: Node, fill: Fill | None = None) -> Decoded[T]:
    """The same for the document *node*, whose parts may come from several texts."""
    decoder = _Decoder(fill)
    try:
        value = decoder.record(cls, node, _Place())
    except FinbackError as failure:
        return Decoded(value=None, problems=(*decoder.problems, *failure.diagnostics))
    problems = sorted(decoder.problems, key=lambda d: (d.span.line, d.span.column) if d.span else (0, 0))
    return Decoded(value=None if value is _BAD else value, problems=tuple(problems), omitted=frozenset(decoder.omitted))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the records a value stands: the key that holds it, and the records around it."""

    key: str = ""
    element: bool = False
    """It is an element of the list that `key` holds."""
    cls: type[Any] | None = None
    """The record that has `key`."""
    above: _Place | None = None

    @property
    def is_outer(self) -> bool:
        """It is the root, or an element of one of the root's lists."""
        return not self.key or (self.element and self.above is not None and not self.above.key)

    @property
    def path(self) -> str:
        """The first two keys that lead here, as `Decoded.omitted` has them."""
        steps: list[str] = []
        at: _Place | None = self
        while at is not None and at.key:
            steps.insert(0, at.key)
            at = at.above
        return ".".join(steps[:2])

    @property
    def words(self) -> str:
        """For messages."""
        return f"an element of `{self.key}`" if self.element else f"`{self.key}`" if self.key else "the file"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record: its type, without None."""

    name: str
    kind: str
    """"list", "map", "record", "word", "id" (a number or a text), "str", "int", "bool", "Given"."""
    required: bool
    cls: Any = None
    """The record's class, the words, or the Field of a list's or a mapping's elements."""


class _Decoder:
    def __init__(self, fill: Fill | None = None) -> None:
        self.problems: list[Diagnostic] = []
        self.omitted: set[str] = set()
        # Values that could not be read, also those whose problem is reported elsewhere and adds none here.
        self._failures = 0
        self._visited = 0
        self._fill = fill

    def fail(self, code: str, message: str, span: Span, help: str, *notes: str) -> Any:
        self.problems.append(Diagnostic(code=code, message=message, span=span, help=help, notes=notes))
        self._failures += 1
        return _BAD

    def _omit(self, place: _Place) -> None:
        self._failures += 1
        self.omitted.add(place.path)

    def record(self, cls: type[Any], node: Node, place: _Place) -> Any:
        """A record whose required fields all have values.

        `_BAD` when anything in it could not be read. The root and the elements of its lists are kept without what could
        not be read, as long as that is not a required field.
        """
        if not isinstance(node, Mapping):
            return self.fail("F002", *remedy.for_record(place.words, element=place.element, keys=keys(cls), node=node))
        values: dict[str, Any] = {}
        spans: _Spans = {}
        known = fields_of(cls)
        empty: dict[str, Span] = {}
        unread: set[str] = set()
        before = self._failures
        pairs = self._pairs(node, place.words)
        given = {key.text for key, _ in pairs}
        for key, value in pairs:
            name = key.text
            if not place.key and name.startswith(EXTENSION):
                continue
            if name not in known:
                # What stands below a misspelt key is read as if it were spelt right.
                name = self._unknown(key, cls, place)
                if not name or name in given:
                    continue
            field = known[name]
            filled = self._filled(value)
            if isinstance(filled, Scalar) and filled.is_null:
                empty[name] = key.span
                continue
            spans[(name,)] = value.span if filled is _BAD else filled.span
            inner = _Place(name, cls=cls, above=place)
            made = self._value(field, filled, inner, (name,), spans)
            if made is _BAD:
                self._omit(inner)
                unread.add(name)
            else:
                values[field.name] = made
        span = _of_mapping(node)
        lacking = [k for k, f in known.items() if f.required and f.name not in values]
        self._missing([k for k in lacking if k not in unread], node, empty, place)
        if lacking or (self._failures > before and not place.is_outer):
            return _BAD
        return cls(**values, origin=Origin(span, spans))

    def _missing(self, missing: list[str], node: Mapping, empty: dict[str, Span], place: _Place) -> None:
        for key in missing:
            if key in empty:
                self.fail("F006", f"`{key}` has no value", empty[key], f"write it after the colon: `{key}: ...`")
        absent = [k for k in missing if k not in empty]
        if absent:
            named = next((v.text for k, v in node.pairs if isinstance(k, Scalar) and isinstance(v, Scalar)
                          and k.text in ("name", "path") and v.text), "")  # fmt: skip
            who = repr(named) if named else place.words
            what = " and ".join(f"`{k}`" for k in absent)
            self.fail(
                "F006", f"{who} lacks {what}", _of_mapping(node), "add " + ", ".join(f"`{k}: ...`" for k in absent)
            )

    def _unknown(self, key: Scalar, cls: type[Any], place: _Place) -> str:
        """Report an unknown key; the key that it is a misspelling of, or ""."""
        below: dict[str, list[str]] = {}
        for holder, field in fields_of(cls).items():
            for inner in keys(_element(field).cls):
                below.setdefault(inner, []).append(holder)
        above = keys(place.cls) if place.cls else ()
        advice = hint.for_key(key.text, keys(cls), below, above, place.key)
        where = f" in {place.words}" if place.key else ""
        self.fail("F004", f"unknown key {scalar.shown(key)}{where}", key.span, advice)
        near = hint.meant(key.text, fields_of(cls)) or ""
        return near if advice == hint.did_you_mean(near) else ""

    def _pairs(self, node: Mapping, words: str) -> list[tuple[Scalar, Node]]:
        """Keys and values, merge keys resolved; what stands here wins over what is merged in."""
        own: dict[str, tuple[Scalar, Node]] = {}
        merged: list[Node] = []
        merges = 0
        for key, value in node.pairs:
            if not isinstance(key, Scalar):
                self.fail("F002", f"a key of {words} is {remedy.kind(key)}", key.span, remedy.for_key(key))
            elif key.text == "<<" and key.plain and not merges:
                merges += 1
                merged = value.items if isinstance(value, Sequence) else [value]
            elif key.text in own or (merges and key.text == "<<" and key.plain):
                self._duplicate(key, own)
            else:
                own[key.text] = (key, value)
        for other in merged:
            self._visit(other)
            if not isinstance(other, Mapping):
                advice = "name anchors of mappings: `<<: *NAME`, or `<<: [*ONE, *TWO]`"
                self.fail("F002", f"`<<` merges mappings, not {remedy.kind(other)}", other.span, advice)
                continue
            for key, value in self._pairs(other, words):
                own.setdefault(key.text, (key, value))
        return list(own.values())

    def _duplicate(self, key: Scalar, own: dict[str, tuple[Scalar, Node]]) -> None:
        if key.text not in own:
            advice = f"merge several mappings with one: `{key.text}: [*ONE, *TWO]`"
            self.fail("F005", f"`{key.text}` is given twice", key.span, advice)
            return
        first = own[key.text][0].span
        advice = "keep one of them" if not isinstance(own[key.text][1], Sequence) else "join the two lists"
        self.fail("F005", f"`{key.text}` is given twice", key.span, advice, f"the first is on line {first.line + 1}")

    def _value(self, field: Field, node: Node, place: _Place, steps: tuple[Step, ...], spans: _Spans) -> Any:
        if node is _BAD or field.kind == "Given":
            return node
        if field.kind in ("list", "map"):
            make = self._list if field.kind == "list" else self._map
            return make(field, node, place, steps, spans)
        if field.kind == "record":
            return self.record(field.cls, node, place)
        return self._scalar(field, node, place)

    def _scalar(self, field: Field, node: Node, place: _Place) -> Any:
        if not isinstance(node, Scalar):
            return self.fail("F002", *remedy.for_scalar(place.words, field.kind, place.key, node))
        try:
            if field.name not in _CONTENT:
                scalar.without_nul(node)
            return _SCALARS[field.kind](node, field.cls)
        except scalar.MisfitError as misfit:
            advice = f"declare another type for {' and '.join(node.span.params)}" if node.span.params else misfit.remedy
            return self.fail(misfit.code, misfit.message, node.span, advice)

    def _list(self, field: Field, node: Node, place: _Place, steps: tuple[Step, ...], spans: _Spans) -> Any:
        if not isinstance(node, Sequence):
            return self.fail("F002", *remedy.for_list(place.key, keys(field.cls.cls), node))
        made: list[Any] = []
        inner = dataclasses.replace(place, element=True)
        for item in map(self._filled, node.items):
            if isinstance(item, Scalar) and item.is_null:
                advice = "write it after the dash, or remove the dash"
                self.fail("F002", f"{inner.words} has no value", _dash(item.span), advice)
                self._omit(inner)
                continue
            value = self._value(field.cls, item, inner, (*steps, len(made)), spans)
            if value is not _BAD:
                spans[(*steps, len(made))] = value.origin.span if field.cls.kind == "record" else item.span
                made.append(value)
            else:
                self._omit(inner)
        # Elements with a problem are left out, so that the others can be checked too.
        return tuple(made)

    def _map(self, field: Field, node: Node, place: _Place, steps: tuple[Step, ...], spans: _Spans) -> Any:
        if not isinstance(node, Mapping):
            return self.fail("F002", *remedy.for_map(place.key, node))
        out: dict[str, Any] = {}
        bad = False
        for key, given in self._pairs(node, place.words):
            value = self._filled(given)
            spans[(*steps, key.text)] = given.span if value is _BAD else value.span
            if isinstance(value, Scalar) and value.is_null:
                bad = True
                self.fail("F002", f"`{key.text}` has no value", key.span, f'write `{key.text}: ""` for an empty text')
            elif field.cls.kind == "Given" and value is not _BAD:
                out[key.text] = value
            elif isinstance(value, Scalar) and "\0" not in key.text + value.text:
                out[key.text] = value.text
            elif isinstance(value, Scalar):
                bad = True
                self.fail("F009", scalar.NUL[0], key.span, scalar.NUL[1])
            else:
                bad = True
                if value is not _BAD:
                    self.fail("F002", *remedy.for_scalar(f"`{key.text}`", "str", place.key, value))
        return _BAD if bad else out

    def _visit(self, node: Node) -> None:
        """Count values as they are used: aliases let a short text stand for an enormous one."""
        self._visited += 1
        if self._visited > MAX_NODES:
            raise too_large(f"its aliases make more than {MAX_NODES} values of it", node.span)

    def _filled(self, node: Node) -> Any:
        """*node*, counted, with what it stands for in its place; `_BAD` when that is not to be had."""
        self._visit(node)
        if self._fill is None or not isinstance(node, Scalar):
            return node
        try:
            return self._fill(node)
        except scalar.MisfitError as misfit:
            # Without a code, it is reported where the fault is.
            return self.fail(misfit.code, misfit.message, node.span, misfit.remedy) if misfit.code else _BAD


_SCALARS: dict[str, Callable[[Scalar, Any], Any]] = {
    "str": lambda node, _: node.text,
    "int": lambda node, _: scalar.whole_number(node),
    "bool": lambda node, _: scalar.switch(node),
    "word": scalar.word,
    "id": lambda node, _: node.text if (value := scalar.number(node)) is None else value,
}


def _of_mapping(node: Mapping) -> Span:
    """What to underline for a record: its first line."""
    if node.flow or not node.pairs:
        return node.span
    first = node.pairs[0][0].span
    return first if first.line == node.span.line else node.span


def _dash(span: Span) -> Span:
    """The dash of the list element without a value that would stand at *span*."""
    before = span.source.line(span.line)[: span.column].rstrip()
    return Span(span.source, span.line, len(before) - 1) if before.endswith("-") else span


_KNOWN: dict[type[Any], dict[str, Field]] = {}


def keys(cls: Any) -> tuple[str, ...]:
    """The keys of a record's class, those without which it can't be first; none for anything else."""
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        return ()
    known = fields_of(cls)
    return tuple(sorted(known, key=lambda k: not known[k].required))


def _element(field: Field) -> Field:
    return field.cls if field.kind == "list" else field


def fields_of(cls: type[Any]) -> dict[str, Field]:
    """The fields of *cls* by key, worked out once."""
    if cls not in _KNOWN:
        annotations = typing.get_type_hints(cls)
        _KNOWN[cls] = {
            f.metadata.get("key", f.name): _field(
                f.name,
                annotations[f.name],
                required=f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING,
            )
            for f in dataclasses.fields(cls)
            if f.name != "origin"
        }
    return _KNOWN[cls]


def _field(name: str, annotation: Any, *, required: bool) -> Field:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        real = [a for a in arguments if a is not type(None)]
        return Field(name, "id", required) if set(real) == {int, str} else _field(name, real[0], required=required)
    kind, inner = annotation.__name__, typing.cast("Any", None)
    if origin is tuple:
        kind, inner = "list", _field(name, arguments[0], required=False)
    elif origin is Literal:
        kind, inner = "word", arguments
    elif isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        kind, inner = "map", _field(name, arguments[1], required=False)
    elif dataclasses.is_dataclass(annotation):
        kind, inner = "record", annotation
    return Field(name, kind, required, inner)
