"""One text's document laid over another's, as nodes, so that every value keeps its place in its own text.

Texts are laid over each other as LinuxKit merges them (compat 1.2): later values win, lists are joined. Any list of
the model can be edited, too, by keys such as `services.remove`; those of nested records and of an item to be merged as
well. What is malformed is left in, for the decoder to report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from finback.ground.diagnostic import Diagnostic
from finback.spec.decode import Field, fields_of
from finback.spec.edit import Edits
from finback.spec.extend import SpecFile
from finback.spec.hint import EDITS
from finback.spec.model import Kernel
from finback.spec.node import MAX_DEPTH, Mapping, Node, Scalar
from finback.spec.node import Sequence as Items

# An empty name of an archive clears an earlier one; LinuxKit takes other empty texts of the kernel for nothing.
CLEARED = ("tar", "ucode")
Pair = tuple[Node, Node]


class Layers:
    """Lays documents over each other. *text* gives the text that a scalar stands for, "" for anything else."""

    def __init__(self, text: Callable[[Node], str]) -> None:
        self._text = text
        self.problems: list[Diagnostic] = []

    def lay(self, cls: type[Any], first: Node, second: Node) -> Node:
        """*second* laid over *first*; both are documents of class *cls*."""
        if not isinstance(first, Mapping):
            return first
        return self._mapping(cls, first, second, item=False) if isinstance(second, Mapping) else second

    def _mapping(self, cls: type[Any], first: Mapping, second: Mapping, *, item: bool) -> Mapping:
        known = fields_of(cls)
        below, above = flat(first), flat(second)
        if not (_sound(below) and _sound(above)):
            return below if not _sound(below) else above
        found: dict[str, Pair] = {k.text: (k, v) for k, v in below.pairs if isinstance(k, Scalar)}
        before = dict(found)
        edits: dict[str, list[tuple[str, Scalar, Node]]] = {}
        for key, value in above.pairs:
            assert isinstance(key, Scalar)
            name, _, operation = key.text.rpartition(".")
            if key.text not in known and operation in EDITS and name in known and known[name].kind == "list":
                edits.setdefault(name, []).append((operation, key, value))
            elif item and operation == "add" and name in found and key.text in known:
                # In the model itself, such a key adds to what an image's label says.
                edits.setdefault(name, []).append((operation, key, value))
            elif key.text in found and key.text in known:
                found[key.text] = (key, self._over(cls, known[key.text], found[key.text][1], value, item=item))
            else:
                found[key.text] = (key, value)
        for name, wanted in edits.items():
            own = next(((k, v) for k, v in above.pairs if isinstance(k, Scalar) and k.text == name), None)
            if own is not None and not item and isinstance(own[1], Items) and isinstance(own[0], Scalar):
                # What is edited is what files before this one have.
                found.pop(name)
                found |= {name: before[name]} if name in before else {}
                wanted.append(("add", *own))
            self._edit(name, known[name], wanted, found, item=item)
        return Mapping(below.span, below.flow, list(found.values()))

    def _over(self, cls: type[Any], at: Field, old: Node, new: Node, *, item: bool) -> Node:
        """*new* in the place of *old*, which the field *at* of *cls* has."""
        if isinstance(new, Scalar) and (new.is_null or (cls is Kernel and not new.text and at.name not in CLEARED)):
            return old
        if isinstance(old, Scalar) and (old.is_null or at.kind not in ("list", "record", "map")):
            return old if isinstance(new, Scalar) and new.text == old.text else new
        wanted = {"list": Items, "record": Mapping, "map": Mapping}.get(at.kind)
        if wanted is not None and not (isinstance(old, wanted) and isinstance(new, wanted)):
            # What is malformed stays, to be reported.
            return new if isinstance(old, wanted) else old
        if isinstance(old, Items) and isinstance(new, Items):
            joins = not item or _adds(cls, at)
            return Items(old.span, [*old.items, *new.items]) if joins else new
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            # A section is one with the file; what is within it is a thing of its own.
            return (
                self._mapping(at.cls, old, new, item=item or cls is not SpecFile)
                if at.kind == "record"
                else _joined(old, new)
            )
        return new

    def _edit(
        self,
        name: str,
        at: Field,
        wanted: Sequence[tuple[str, Scalar, Node]],
        found: dict[str, Pair],
        *,
        item: bool,
    ) -> None:
        """The edits *wanted* of the list *name* of *found*."""
        key, _ = found.get(name, (wanted[0][1], None))
        old = found[name][1] if name in found else None
        if old is not None and not isinstance(old, Items):
            if not (isinstance(old, Scalar) and old.is_null):
                return
            old = None
        if old is None and item:
            self._nothing(name, wanted)
            return
        place = old.span if old is not None else wanted[0][2].span
        edits = Edits(name, at.cls, self._text, self._merged)
        items = edits.apply(list(old.items) if old is not None else [], wanted)
        self.problems += edits.problems
        found[name] = (Scalar(key.span, name, plain=True), Items(place, items))

    def _nothing(self, name: str, wanted: Iterable[tuple[str, Scalar, Node]]) -> None:
        for operation, key, _ in wanted:
            message = f"there is no `{name}` that `{name}.{operation}` could change"
            advice = f"write `{name}:` with the whole list; what an image brings can't be changed here"
            self.problems.append(Diagnostic(code="F084", message=message, span=key.span, help=advice))

    def _merged(self, cls: type[Any], old: Mapping, new: Mapping) -> Mapping:
        return self._mapping(cls, old, new, item=True)


def _adds(cls: type[Any], at: Field) -> bool:
    """Whether the list is one that adds to what an image's label says."""
    return next(k for k, f in fields_of(cls).items() if f is at).endswith(".add")


def _joined(first: Mapping, second: Mapping) -> Mapping:
    below, above = flat(first), flat(second)
    if not (_sound(below) and _sound(above)):
        return below if not _sound(below) else above
    found: dict[str, Pair] = {k.text: (k, v) for k, v in (*below.pairs, *above.pairs) if isinstance(k, Scalar)}
    return Mapping(below.span, below.flow, list(found.values()))


def flat(mapping: Mapping, depth: int = 0) -> Mapping:
    """*mapping* without merge keys (`<<`), what these bring in its place; as it is where they are malformed."""
    merges = [v for k, v in mapping.pairs if isinstance(k, Scalar) and k.plain and k.text == "<<"]
    if len(merges) != 1 or depth > MAX_DEPTH or not _sound(mapping):
        return mapping
    others = merges[0].items if isinstance(merges[0], Items) else [merges[0]]
    found: dict[str, Pair] = {k.text: (k, v) for k, v in mapping.pairs if isinstance(k, Scalar) and k.text != "<<"}
    for other in others:
        inner = flat(other, depth + 1) if isinstance(other, Mapping) else None
        if inner is None or not _sound(inner) or len(found) + len(inner.pairs) > MAX_KEYS:
            return mapping
        for key, value in inner.pairs:
            if isinstance(key, Scalar):
                found.setdefault(key.text, (key, value))
    return Mapping(mapping.span, mapping.flow, list(found.values()))


MAX_KEYS = 10_000


def _sound(mapping: Mapping) -> bool:
    """Whether its keys are words, each once."""
    names = [k.text for k, _ in mapping.pairs if isinstance(k, Scalar)]
    return len(names) == len(mapping.pairs) and len(set(names)) == len(names)
