"""YAML text to nodes with positions, safe on hostile text: one document, bounded size and depth, no recursion.

Subset: all of YAML 1.1 that PyYAML parses, except tags, which say nothing here because the field decides a value's
type. PyYAML's composer recurses in C and crashes the process on a few kilobytes of brackets, so nodes are built from
events.

Source: YAML 1.2.2; YAML 1.1 for line breaks and the merge key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from finback.ground.diagnostic import FinbackError, error
from finback.ground.source import Source, Span
from finback.spec.syntax import explain

MAX_NODES = 200_000
MAX_DEPTH = 64
# What libyaml says from 0.2.6 on, which has a limit of its own and reads ahead of the events.
TOO_DEEP = "exceeded maximum nesting depth"
# Everything that YAML calls printable (1.1, production c-printable), and the byte order mark.
_FORBIDDEN = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_FORBIDDEN_ASCII = "[^\t\n\r\x20-\x7e]"
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_BLOCK_SCALAR = re.compile(r"[ -]*[\w.]+:[ ]+[|>][-+0-9]*[ ]*(?:#.*)?\Z")
_PARSER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(slots=True, eq=False)
class Scalar:
    """A single value. `plain`: it was written without quotes and not as a block."""

    span: Span
    text: str
    plain: bool

    @property
    def is_null(self) -> bool:
        """Whether nothing is given: an empty place, or one of YAML's words for it."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(slots=True, eq=False)
class Sequence:
    """A list."""

    span: Span
    items: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping:
    """Keys and values, in order, duplicates and merge keys included."""

    span: Span
    flow: bool
    pairs: list[tuple[Node, Node]] = field(default_factory=list)


Node = Scalar | Sequence | Mapping


def compose(source: Source) -> Node | None:
    """The document of *source*; None when there is none. An alias gives the very node that its anchor names.

    Raises:
        FinbackError: F001 not YAML, F008 too large or too deeply nested, F009 a character that can't stand in YAML.

    """
    check_characters(source)
    try:
        return _Composer(source, source.text).document()
    except yaml.MarkedYAMLError as failure:
        lenient = _without_outdented_comments(source.text)
        if lenient != source.text:
            try:
                return _Composer(source, lenient).document()
            except yaml.MarkedYAMLError:
                pass
        if failure.problem == TOO_DEEP and failure.problem_mark is not None:
            mark = failure.problem_mark
            raise too_large(f"more than {MAX_DEPTH} levels", Span(source, mark.line, mark.column)) from None
        raise explain(failure, source) from None


class _Composer:
    """Builds nodes from the parser's events, with a stack of its own."""

    def __init__(self, source: Source, text: str) -> None:
        self._source = source
        self._parser = _PARSER(text)
        self._lines = text.splitlines()
        self._anchors: dict[str, Node] = {}
        self._open: list[tuple[Sequence | Mapping, str | None]] = []
        # Keys that wait for their value, one for each open mapping that has one.
        self._keys: dict[int, Node] = {}
        self._count = 0

    def document(self) -> Node | None:
        root: Node | None = None
        begun = False
        for event in self._events():
            if isinstance(event, yaml.DocumentStartEvent):
                if begun:
                    raise error(
                        "F001",
                        "a second document begins here",
                        self._span(event),
                        help="one file holds one document: remove this line, or make it a file of its own and name "
                        "both files on the command line, which merges them",
                    )
                begun = True
            elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                closed, anchor = self._open.pop()
                if anchor:
                    self._anchors[anchor] = closed
            elif isinstance(event, yaml.NodeEvent):
                node = self._node(event)
                if self._open and self._open[-1][0] is not node:
                    self._put(self._open[-1][0], node)
                elif len(self._open) > 1:
                    self._put(self._open[-2][0], node)
                else:
                    root = node
        return root

    def _events(self) -> Iterator[Any]:
        try:
            while (event := self._parser.get_event()) is not None:
                yield event
                if isinstance(event, yaml.StreamEndEvent):
                    return
        finally:
            self._parser.dispose()

    def _node(self, event: Any) -> Node:
        self._count += 1
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if self._count > MAX_NODES or len(self._open) >= MAX_DEPTH:
            what = f"more than {MAX_NODES} values" if self._count > MAX_NODES else f"more than {MAX_DEPTH} levels"
            raise too_large(what, self._span(event))
        if event.tag is not None and event.tag != "!":
            self._refuse_tag(event)
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(self._span(event), event.value, not event.style)
            if event.anchor:
                self._anchors[event.anchor] = node
            return node
        span = self._span(event)
        node = Sequence(span) if isinstance(event, yaml.SequenceStartEvent) else Mapping(span, bool(event.flow_style))
        self._open.append((node, event.anchor))
        return node

    def _put(self, parent: Sequence | Mapping, node: Node) -> None:
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif id(parent) in self._keys:
            parent.pairs.append((self._keys.pop(id(parent)), node))
        else:
            self._keys[id(parent)] = node

    def _alias(self, event: Any) -> Node:
        if event.anchor in self._anchors:
            return self._anchors[event.anchor]
        if any(anchor == event.anchor for _, anchor in self._open):
            message, hint = f"`*{event.anchor}` contains itself", "use it outside of what `&` marks"
        else:
            message = f"there is no anchor `&{event.anchor}` before this line"
            known = ", ".join(f"&{a}" for a in self._anchors)
            hint = f"anchors so far: {known}" if known else "to begin a text with `*`, put it in quotes"
        raise error("F001", message, self._span(event), help=hint)

    def _refuse_tag(self, event: Any) -> None:
        short = event.tag.replace("tag:yaml.org,2002:", "!!")
        raise error(
            "F001",
            f"the tag `{short}` has no meaning here",
            self._span(event),
            help="remove it: the key decides what a value is",
        )

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        line = self._lines[start.line] if start.line < len(self._lines) else ""
        single = isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)) and end.line == start.line
        # A list or mapping is shown by its first line; its start event ends where it begins.
        length = end.column - start.column if single else len(line.partition(" #")[0].rstrip()) - start.column
        return Span(self._source, start.line, start.column, max(1, length))


def too_large(what: str, span: Span) -> FinbackError:
    """The error for a text that is beyond what a description of a system can need."""
    return error("F008", f"the file is too large: {what}", span, help="split it, or use fewer aliases")


def check_characters(source: Source) -> None:
    """Refuse what can't stand in YAML.

    Raises:
        FinbackError: F009, there is such a character.

    """
    # The large set takes as long to compile as a small file to read.
    found = re.search(_FORBIDDEN_ASCII if source.text.isascii() else _FORBIDDEN, source.text)
    if found is None:
        return
    before = source.text[: found.start()]
    breaks = list(_BREAK.finditer(before))
    span = Span(source, len(breaks), len(before) - (breaks[-1].end() if breaks else 0))
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:
        utf16 = source.text.startswith(("\udcff\udcfe", "\udcfe\udcff"))
        what = "the file is not UTF-8 but UTF-16" if utf16 else f"the byte 0x{code - 0xDC00:02x} is not UTF-8"
        raise error("F009", what, span, help="save the file as UTF-8")
    raise error(
        "F009",
        f"the control character U+{code:04X} can't stand in YAML",
        span,
        help=f'remove it, or write it as "\\u{code:04x}" inside double quotes',
    )


def _without_outdented_comments(text: str) -> str:
    """Blank comment lines that stand, less indented than it, directly before the first line of a block scalar.

    YAML takes such a comment as the end of the scalar and then stumbles over its lines; LinuxKit's static-ip.yml has
    one, where a line of the scalar was commented out. Lines keep their numbers. Text that is YAML is never treated so.
    """
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if not _BLOCK_SCALAR.match(line):
            continue
        indent = len(line) - len(line.lstrip(" -"))
        after = i + 1
        while after < len(lines) and lines[after].startswith("#"):
            after += 1
        if after > i + 1 and after < len(lines):
            body = lines[after]
            if body.strip() and len(body) - len(body.lstrip(" ")) > indent:
                lines[i + 1 : after] = [""] * (after - i - 1)
    return "\n".join(lines)
