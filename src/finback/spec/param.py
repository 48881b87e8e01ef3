"""Params: values that a system is made with, declared with a type, and written `${params.NAME}` where they are used.

No shell has a variable with a dot in its name, so scripts in a file keep theirs. Nothing is evaluated: a value is put
in place, and then read as whatever its field demands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.source import Origin, Source, Span, origin
from finback.spec import scalar
from finback.spec.decode import Given, document
from finback.spec.node import Mapping as MappingNode
from finback.spec.node import Node, Scalar, Sequence, check_characters
from finback.spec.remedy import kind
from finback.spec.settings import did_you_mean, problem

MARK = "${params."
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_USE = re.compile(r"(\$?)\$\{params\.([^}\n]*)(\}?)")
_EXAMPLES = {"string": "a text", "int": "a whole number", "bool": "true or false", "list": "a list of texts"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A value that a system is made with; `${params.NAME}` stands for it, in any value of any of the system's files."""

    name: str
    """Name: letters, digits, `_` and `-`."""
    type: Literal["string", "int", "bool", "list"] | None = None
    """What a value must be: `string`, `int`, `bool`, or `list`, which is a list of texts. Default: string."""
    default: Given | None = None
    """Value where none is given. Without it, one must be: by `set` or `--set`."""
    choices: tuple[str, ...] | None = None
    """Values that are allowed. Default: all of the type."""
    description: str | None = None
    """What it is for."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A param's value, and where it comes from."""

    name: str
    type: str
    value: str | tuple[str, ...]
    span: Span | None


class Params:
    """All params of a system, with their values."""

    def __init__(self, *, active: bool) -> None:
        """*active*: the system's files have params or extend others, so that a name that is none is an error."""
        self._settings: dict[str, Setting] = {}
        self._failed: set[str] = set()
        self._active = active
        self.left: list[Span] = []
        """Where something looks like a param and is left alone, because there are none."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The values, by name."""
        return self._settings

    def settle(self, declared: Iterable[Param], given: Mapping[str, Node]) -> Iterable[Diagnostic]:
        """Take the values: those of *given*, else the defaults; what is wrong with them."""
        first: dict[str, Param] = {}
        for param in declared:
            if param.name in first:
                note = f"the first is at {first[param.name].origin.at('name')}"
                advice = "rename one of them; another file's param gets a value by `set:`"
                yield problem("F085", f"there are two params {param.name!r}", param.origin.at("name"), advice, note)
                continue
            first[param.name] = param
            yield from self._settle(param, given.get(param.name))
        for name, node in given.items():
            if name not in first:
                advice = did_you_mean(name, first, "declare it under `params:`")
                yield problem("F086", f"there is no param {name!r}", node.span, advice)

    def _settle(self, param: Param, given: Node | None) -> Iterable[Diagnostic]:
        name, wanted = param.name, param.type or "string"
        self._failed.add(name)
        if not _NAME.match(name):
            advice = "use letters, digits, _ and -, and begin with a letter"
            yield problem("F087", f"{name!r} is no name for a param", param.origin.at("name"), advice)
            return
        node = given if given is not None else param.default
        if node is None:
            advice = f"give one, by `--set {name}=...`, or `set: {{{name}: ...}}` in a file that extends this one"
            what = f": {param.description}" if param.description else ""
            yield problem("F088", f"param {name!r} has no value{what}", param.origin.at("name"), advice)
            return
        assert isinstance(node, Scalar | Sequence | MappingNode)
        try:
            value = _read(node, wanted)
        except scalar.MisfitError as misfit:
            note = f"param {name!r} is declared at {param.origin.at('name')}"
            yield problem(misfit.code, misfit.message, node.span, misfit.remedy, note)
            return
        wrong = [v for v in ((value,) if isinstance(value, str) else value) if param.choices and v not in param.choices]
        if wrong:
            advice = did_you_mean(wrong[0], param.choices or (), f"write one of {', '.join(param.choices or ())}")
            yield problem("F089", f"{wrong[0]!r} is none of the choices of param {name!r}", node.span, advice)
            return
        self._failed.discard(name)
        self._settings[name] = Setting(name=name, type=wanted, value=value, span=node.span)

    def fill(self, node: Scalar) -> Node:
        """*node* with values in the place of the params that it names; `$${params.x}` stands for the text itself.

        Raises:
            MisfitError: F086, it names what is none; F003, a list stands within a text; without a code, it names one
                that has no value, which is reported elsewhere.

        """
        if MARK not in node.text:
            return node
        if not self._active:
            self.left.append(node.span)
            return node
        uses = [u for u in _USE.finditer(node.text) if not u[1]]
        names = tuple(dict.fromkeys(self._checked(u) for u in uses))
        span = replace(node.span, params=names)
        if any(n in self._failed for n in names):
            # That is reported where it is declared, and what stands here can't be judged.
            raise scalar.MisfitError("", "", "")
        if len(uses) == 1 and uses[0][0] == node.text:
            setting = self._settings[names[0]]
            if isinstance(setting.value, tuple):
                return Sequence(span, [Scalar(span, v, plain=False) for v in setting.value])
            return Scalar(span, setting.value, plain=setting.type != "string")
        return Scalar(span, _USE.sub(self._text, node.text), plain=False)

    def text(self, node: Node) -> str:
        """The text of *node*, or "" where it is none, or can't be filled: that is for the decoder to say."""
        if not isinstance(node, Scalar):
            return ""
        try:
            filled = self.fill(node)
        except scalar.MisfitError:
            return ""
        return filled.text if isinstance(filled, Scalar) else ""

    def _checked(self, use: re.Match[str]) -> str:
        name = use[2]
        if not use[3]:
            raise scalar.MisfitError("F086", f"`{use[0][:40]}` has no end", "write `${params.NAME}`")
        if name not in self._settings and name not in self._failed:
            known = sorted({*self._settings, *self._failed})
            remedy = f"declare it under `params:`, or write `$${use[0][1:]}` for the text itself"
            raise scalar.MisfitError("F086", f"there is no param {name!r}", did_you_mean(name, known, remedy))
        return name

    def _text(self, use: re.Match[str]) -> str:
        if use[1]:
            return use[0][1:]
        value = self._settings[use[2]].value
        if isinstance(value, tuple):
            message = f"param {use[2]!r} is a list, and stands within a text"
            raise scalar.MisfitError("F003", message, "let it stand alone, in the place of a list")
        return value


def from_option(text: str) -> tuple[str, Node]:
    """What ``--set NAME=VALUE`` says: the name, and the value as YAML.

    Raises:
        FinbackError: F090, it has another form; F001, the value is not YAML; F009, it has a character that can't stand
            there.

    """
    name, equals, value = text.partition("=")
    if not equals or not _NAME.match(name):
        raise FinbackError(problem("F090", f"--set {text!r} is not NAME=VALUE", None, "write it such as --set port=80"))
    source = Source(f"--set {name}", value)
    check_characters(source)
    if not value.startswith("["):
        return name, Scalar(Span(source, 0, 0, max(1, len(value))), value, plain=value != "")
    return name, document(source)


def _read(node: Node, wanted: str) -> str | tuple[str, ...]:
    """The value of *node* as the type *wanted* spells it.

    Raises:
        MisfitError: F002, F003, it is of another type.

    """
    if wanted == "list":
        if not isinstance(node, Sequence) or not all(isinstance(i, Scalar) for i in node.items):
            raise scalar.MisfitError(
                "F002", f"expected a list of texts, got {kind(node)}", "write it such as [one, two]"
            )
        return tuple(i.text for i in node.items if isinstance(i, Scalar))
    if isinstance(node, Scalar) and MARK in node.text:
        raise scalar.MisfitError("F086", "the value of a param names another param", "write the value itself")
    if not isinstance(node, Scalar):
        remedy = f"write {_EXAMPLES[wanted]}, or declare the param with `type: list`"
        raise scalar.MisfitError("F002", f"expected {_EXAMPLES[wanted]}, got {kind(node)}", remedy)
    if wanted == "int":
        return str(scalar.whole_number(node))
    if wanted == "bool":
        return "true" if scalar.switch(node) else "false"
    return node.text
