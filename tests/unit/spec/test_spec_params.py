"""A param without a value, at every place where a value can stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from finback.ground.diagnostic import FinbackError
from finback.ground.source import Source
from finback.spec.decode import Field, fields_of
from finback.spec.extend import HEADER, SpecFile
from finback.spec.load import load_files

GONE = "${params.gone}"
# Values that are right for keys that must have one.
RIGHT = {"image": "nginx", "path": "/x", "to": "default", "source": "/y", "type": "c", "serial": "s1", "format": "tar",
         "publicKey": "wJhOXx4eMy6bD9sOBwSLE4rFm0i3bUq5iY1e8Uw3GFs=", "peer": "other", "within": 5}  # fmt: skip


def right(field: Field) -> Any:
    """A value for *field*."""
    kinds = {"list": [], "map": {}, "int": 1, "bool": True}
    if field.kind == "record":
        return {k: right(f) for k, f in fields_of(field.cls).items() if f.required}
    if field.kind == "word":
        return field.cls[0]
    return RIGHT.get(field.name, kinds.get(field.kind, "a"))


def values(field: Field) -> Iterator[tuple[str, Any]]:
    """All values of *field* that lack the param in one place, with that place."""
    if field.kind == "list":
        for path, value in values(field.cls):
            yield f"[]{path}", [value]
    elif field.kind == "map":
        yield ".key", {"key": GONE}
    elif field.kind == "record":
        for path, value in records(field.cls):
            yield path, value
    yield "", GONE
    yield "~", f"a{GONE}b"


def records(cls: type[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    needed = {k: right(f) for k, f in fields_of(cls).items() if f.required}
    for key, field in fields_of(cls).items():
        if key not in HEADER:
            for path, value in values(field):
                yield f".{key}{path}", {**needed, key: value}


CASES = dict(records(SpecFile))
# What is true of some of the documents made here: a key that another section has, a file or a test that has no kind.
TRUE_ANYWAY = {"F060", "F046", "F066"}


@pytest.mark.parametrize(("param", "code"), [({}, "F088"), ({"type": "int", "default": "x"}, "F003")])
def test_only_the_param_is_reported_and_no_consumer_meets_its_place(param: dict[str, str], code: str) -> None:
    assert len(CASES) > 800
    wrong: dict[str, list[str]] = {}
    for path, document in CASES.items():
        text = json.dumps({**document, "params": [{"name": "gone", **param}]})
        with pytest.raises(FinbackError) as failure:
            load_files((Source("t.yml", text),))
        found = [d.code for d in failure.value.diagnostics if d.code not in TRUE_ANYWAY]
        if found != [code]:
            wrong[path] = found
    assert wrong == {}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("services: [{name: a, image: b, command: x}, {name: a, image: b, needs: [c]}]", ["F002", "F033", "F061"]),
        ("files: 5\nservices: [{name: a, image: b, uid: c}]", ["F002", "F021"]),
        ("kernel: [a]\nservices: [{name: a, image: b, binds: ['c:/d']}]", ["F002", "F038"]),
        # What is missing might be what is referred to.
        ("volumes: 5\nservices: [{name: a, image: b, binds: ['c:/d']}]", ["F002"]),
        ("services: [{name: a, image: b, needs: [c]}, {name: [c], image: b}]", ["F002"]),
        ("network: {interfaces: [{name: eth0, mtu: x}]}\nfiles: [{path: a}]", ["F003", "F046"]),
    ],
)
def test_an_error_of_shape_does_not_hide_the_others(text: str, codes: list[str]) -> None:
    with pytest.raises(FinbackError) as failure:
        load_files((Source("t.yml", text),))
    assert [d.code for d in failure.value.diagnostics] == codes


@pytest.mark.parametrize("value", ["\udcff", "a\x00b", "\x1b[m"])
def test_an_option_has_the_characters_of_a_file(value: str) -> None:
    text = "params: [{name: a}]\nkernel: {image: b, cmdline: '${params.a}'}"
    with pytest.raises(FinbackError) as failure:
        load_files((Source("t.yml", text),), None, (f"a={value}",))
    assert [d.code for d in failure.value.diagnostics] == ["F009"]
