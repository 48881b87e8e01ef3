"""Edits of one list: what a text removes from, replaces in, merges into, puts before or after, or adds to a list that
texts before it have.

Elements are known by what names them: a record by its name, path, destination or format; a text by itself, or by what
stands in it before `=`, `:`, `@` or `,`, so that `linuxkit/init` means `linuxkit/init:v1`, and `HOME` means `HOME=/`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span
from finback.spec import remedy
from finback.spec.decode import Field, fields_of
from finback.spec.hint import EDITS
from finback.spec.node import Mapping, Node, Scalar
from finback.spec.node import Sequence as Items
from finback.spec.settings import did_you_mean

_IDENTITIES = ("name", "path", "destination", "format")
_ENDS = ("=", ":", "@", ",")


def identity(cls: Any) -> str:
    """The key by whose value elements of the record class *cls* are known; "" where they have none."""
    known = fields_of(cls)
    return next((k for k in _IDENTITIES if k in known), "")


def operations(element: Field) -> tuple[str, ...]:
    """What can be done to a list of such elements."""
    if element.kind != "record":
        return tuple(o for o in EDITS if o != "merge")
    return EDITS if identity(element.cls) else ("add",)


class Edits:
    """Edits of the list called *name*, whose elements are as *element* says."""

    def __init__(
        self,
        name: str,
        element: Field,
        text: Callable[[Node], str],
        merge: Callable[[type[Any], Mapping, Mapping], Mapping],
    ) -> None:
        self._name = name
        self._element = element
        self._key = identity(element.cls) if element.kind == "record" else ""
        self._text = text
        self._merge = merge
        self.problems: list[Diagnostic] = []

    def apply(self, items: list[Node], wanted: Sequence[tuple[str, Scalar, Node]]) -> list[Node]:
        """*items* with the edits *wanted*: an operation, its key and its value."""
        known = operations(self._element)
        for operation, key, value in sorted(wanted, key=lambda w: EDITS.index(w[0])):
            if operation not in known:
                what = f"elements of `{self._name}` have no names" if self._element.kind == "record" else "texts"
                advice = f"this list knows {', '.join(f'`{self._name}.{o}`' for o in known)}"
                self._fail("F083", f"`{key.text}` can't be: {what} can't be merged", key.span, advice)
            elif operation in ("before", "after") or (operation == "replace" and not self._key):
                items = self._at_places(operation, value, items)
            elif not isinstance(value, Items):
                self._fail("F002", *remedy.for_list(key.text, (), value))
            else:
                items = {"remove": self._remove, "replace": self._change, "merge": self._change, "add": self._add}[
                    operation
                ](value, items, operation)
        return items

    def _fail(self, code: str, message: str, span: Span, help: str) -> None:
        self.problems.append(Diagnostic(code=code, message=message, span=span, help=help))

    def _named(self, item: Node) -> str:
        """What *item* is known by."""
        if not self._key:
            return self._text(item)
        pairs = item.pairs if isinstance(item, Mapping) else []
        return next((self._text(v) for k, v in pairs if isinstance(k, Scalar) and k.text == self._key), "")

    def _find(self, wanted: str, span: Span, items: list[Node], doing: str, *, several: bool = False) -> list[int]:
        """Where the elements called *wanted* are: one, or with *several* any number; nothing where that is reported."""
        names = [self._named(i) for i in items]
        found = [i for i, n in enumerate(names) if wanted and _answers(n, wanted, texts=not self._key)]
        if not found:
            known = [n for n in names if n]
            advice = did_you_mean(wanted, known, f"there are: {', '.join(known)}" if known else "the list is empty")
            self._fail("F081", f"there is no {wanted!r} in `{self._name}` to {doing}", span, advice)
        elif len(found) > 1 and not several:
            advice = "remove one of them first, or rename it where it is written"
            self._fail("F082", f"{len(found)} elements of `{self._name}` are called {wanted!r}", span, advice)
            return []
        return found

    def _remove(self, value: Items, items: list[Node], operation: str) -> list[Node]:
        gone: set[int] = set()
        for name in value.items:
            if not isinstance(name, Scalar):
                self._fail("F002", *remedy.for_scalar(f"an element of `{self._name}.remove`", "str", "", name))
                continue
            gone.update(self._find(self._text(name), name.span, items, operation, several=True))
        return [item for i, item in enumerate(items) if i not in gone]

    def _change(self, value: Items, items: list[Node], operation: str) -> list[Node]:
        """Records in the place of those with their names, or merged into them."""
        for item in value.items:
            name = self._named(item)
            if not isinstance(item, Mapping) or not name:
                message = f"an element of `{self._name}.{operation}` says no `{self._key}`"
                advice = f"add the `{self._key}:` of the element that it means"
                self._fail("F006", message, item.span, advice)
                continue
            for i in self._find(name, item.span, items, operation):
                old = items[i]
                merges = operation == "merge" and isinstance(old, Mapping)
                new = self._merge(self._element.cls, old, item) if merges else item  # type: ignore[arg-type]
                items = [*items[:i], new, *items[i + 1 :]]
        return items

    def _add(self, value: Items, items: list[Node], operation: str) -> list[Node]:  # noqa: ARG002
        return [*items, *value.items]

    def _at_places(self, operation: str, value: Node, items: list[Node]) -> list[Node]:
        """What a mapping from names to elements says: put them before or after, or in the place of one."""
        key = f"{self._name}.{operation}"
        if not isinstance(value, Mapping):
            example = "{OLD: NEW}" if operation == "replace" else "{NAME: [...]}"
            message = f"expected `{key}` to be a mapping, got {remedy.kind(value)}"
            self._fail("F002", message, value.span, f"write `{key}: {example}`")
            return items
        for name, new in value.pairs:
            if not isinstance(name, Scalar):
                self._fail("F002", f"a key of `{key}` is {remedy.kind(name)}", name.span, remedy.for_key(name))
                continue
            if operation != "replace" and not isinstance(new, Items):
                self._fail("F002", *remedy.for_list(name.text, (), new))
                continue
            doing = operation if operation == "replace" else f"put anything {operation}"
            for i in self._find(self._text(name), name.span, items, doing):
                added = new.items if isinstance(new, Items) and operation != "replace" else [new]
                start = i + 1 if operation == "after" else i
                items = [*items[:start], *added, *items[start + (operation == "replace") :]]
        return items


def _answers(name: str, wanted: str, *, texts: bool) -> bool:
    """Whether what is known as *name* is called *wanted*."""
    return name == wanted or (texts and name.startswith(tuple(wanted + end for end in _ENDS)))
