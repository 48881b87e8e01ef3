"""A list where a text belongs, a text where a list belongs, and the like: what was written, and how to write it.

Each function gives the message, the place, and the remedy, which repeats the writer's own words in the right form.
"""

from __future__ import annotations

import re

from finback.ground.source import Span
from finback.spec.node import Mapping, Node, Scalar, Sequence
from finback.spec.scalar import shown

_Said = tuple[str, Span, str]
_NOUNS = {
    "str": "a text",
    "int": "a whole number",
    "bool": "true or false",
    "word": "a word",
    "id": "a number or a name",
}


def kind(node: Node) -> str:
    """What *node* is, for messages."""
    if isinstance(node, Mapping):
        return "a mapping"
    return "a list" if isinstance(node, Sequence) else f"the text {shown(node)}"


def for_key(node: Node) -> str:
    """A key that is a list or a mapping: mostly a template's braces."""
    return _braces(node) or "a key is a single word, followed by a colon"


def for_record(words: str, *, element: bool, keys: tuple[str, ...], node: Node) -> _Said:
    """A record was expected; *keys* are its keys, the most important first."""
    lead = keys[0] if keys else "key"
    dash = "- " if element else ""
    if isinstance(node, Scalar):
        if words == "the file":
            advice = _top(keys)
        elif keys[:2] == ("name", "image") and re.search(r"[/:@]", node.text):
            name = re.split(r"[:@]", node.text.rpartition("/")[2])[0]
            advice = f"write `{dash}name: {name}`, and below that `image: {_short(node)}`"
        else:
            advice = f"write `{dash}{lead}: {_short(node)}`"
    elif words == "the file":
        advice = _top(keys)
    else:
        advice = f"remove the inner dash: its keys are {', '.join(keys[:4])}" if element else "remove the dashes"
    return f"expected {words} to be a mapping with keys, got {kind(node)}", node.span, advice


def for_scalar(words: str, wanted: str, key: str, node: Node) -> _Said:
    """A single value was expected."""
    message = f"expected {words} to be {_NOUNS[wanted]}, got {kind(node)}"
    if isinstance(node, Sequence):
        only = node.items[0] if len(node.items) == 1 else None
        advice = f"write it without dash or brackets: {_short(only)}" if isinstance(only, Scalar) else "write one value"
        return message, node.span, advice
    pair = node.pairs[0] if isinstance(node, Mapping) and len(node.pairs) == 1 else None
    advice = _braces(node) or "write one value"
    if pair and isinstance(pair[0], Scalar) and isinstance(pair[1], Scalar):
        name, value = pair[0].text, "" if pair[1].is_null else pair[1].text
        advice = f"write `{name}={value}`" if key == "env" else f'put it in quotes: "{name}: {value}"'
    return message, node.span, advice


def for_list(key: str, keys: tuple[str, ...], node: Node) -> _Said:
    """A list was expected; *keys* are those of its elements, when these are records."""
    message = f"expected `{key}` to be a list, got {kind(node)}"
    if isinstance(node, Scalar):
        if keys:
            return message, node.span, f"begin an element with a dash: `- {keys[0]}: {_short(node)}`"
        return message, node.span, f"write `{key}: [{', '.join(_quote(w) for w in _words(key, node.text))}]`"
    assert isinstance(node, Mapping)
    first = node.pairs[0] if node.pairs else None
    if first is None or not isinstance(first[0], Scalar):
        return message, node.span, _braces(node) or "begin each element with a dash"
    name, value = first[0].text, first[1]
    if keys and isinstance(value, Mapping):
        lead = "path" if "path" in keys else "name" if "name" in keys else keys[0]
        return message, node.span, f"begin each element with a dash: `- {lead}: {name}`, and its other keys below that"
    if not keys and key == "env" and isinstance(value, Scalar):
        return message, node.span, f"begin each line with a dash and join with =: `- {name}={value.text}`"
    text = f": {_short(value)}" if isinstance(value, Scalar) else ":"
    more = ""
    if "name" in keys and name not in keys:
        more = " and `default: VALUE`" if "default" in keys else ", and its other keys below that"
        name, text = "name", f": {name}"
    return message, node.span, f"begin each element with a dash: `- {name}{text}`{more}"


def for_map(key: str, node: Node) -> _Said:
    """Names with values were expected."""
    message = f"expected `{key}` to be a mapping, got {kind(node)}"
    first = node.items[0] if isinstance(node, Sequence) and node.items else node
    name, equals, value = (first.text if isinstance(first, Scalar) else "").partition("=")
    example = f"{name}: {_quote(value)}" if equals else "name: value"
    return message, node.span, f"write lines such as `{example}` below it"


def _top(keys: tuple[str, ...]) -> str:
    return f"begin with a key: {', '.join(keys[:6])}"


def _words(key: str, text: str) -> list[str]:
    """A command line as its words; anything else is one."""
    if key != "command":
        return [w.strip() for w in text.split(",")] if key == "capabilities" else [text]
    import shlex

    try:
        return shlex.split(text) or [text]
    except ValueError:
        return text.split()


def _quote(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)


def _short(node: Scalar) -> str:
    return shown(node)[1:-1] if "\n" in node.text or len(node.text) > 60 else node.text


def _braces(node: Node) -> str:
    """The remedy for `{{ name }}`, which YAML takes for nested mappings."""
    line = node.span.source.line(node.span.line)[node.span.column :]
    inner = isinstance(node, Mapping) and node.flow and (line.startswith(("{{", "{ {")))
    return "there are no templates here: write the value itself, or put the braces in quotes" if inner else ""
