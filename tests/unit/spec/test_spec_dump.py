from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finback.ground.diagnostic import FinbackError
from finback.ground.source import Source
from finback.spec import dump
from finback.spec.decode import load
from finback.spec.model import Item, Spec
from finback.spec.schema import schema

SCHEMA = jsonschema.Draft202012Validator(schema())
# Anything but surrogates and NUL; line breaks of every kind often.
texts = st.text(
    st.one_of(
        st.characters(min_codepoint=1, exclude_categories=("Cs",)),
        st.sampled_from("\t\n\r\x85\u2028\u2029 #:-'\"|\ufeff\x7f"),
    ),
    max_size=8,
)
identifiers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["root", "a-b", ""]))


def values(kind: Any) -> st.SearchStrategy[Any]:
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        real = [a for a in arguments if a is not type(None)]
        inner = identifiers if len(real) > 1 else values(real[0])
        return st.one_of(st.none(), inner) if type(None) in arguments else inner
    if typing.get_origin(kind) is tuple:
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if typing.get_origin(kind) is typing.Literal:
        return st.sampled_from(arguments)
    if dataclasses.is_dataclass(kind):
        return records(kind)
    if typing.get_origin(kind) is Mapping:
        return st.dictionaries(texts, texts, max_size=2)
    return {str: texts, bool: st.booleans(), int: st.integers(-(2**63), 2**63 - 1)}[kind]


def records(cls: type[Any]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(cls)

    @st.composite
    def build(draw: Any) -> Any:
        optional = [
            f.name for f in dataclasses.fields(cls) if f.default is not dataclasses.MISSING and f.name != "origin"
        ]
        names = draw(st.lists(st.sampled_from(optional), max_size=3)) if optional else []
        names += [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING and f.name != "origin"]
        return cls(**{n: draw(values(hints[n])) for n in names})

    return build()


@settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
@given(records(Spec))
def test_what_is_dumped_loads_as_the_same(spec: Spec) -> None:
    for text in (dump.to_yaml(spec), dump.to_json(spec)):
        assert load(Spec, Source("dump", text)) == spec
    SCHEMA.validate(dump.plain(spec))
    assert json.loads(dump.to_json(spec)) == dump.plain(spec)


def test_the_order_is_the_models_and_only_what_is_given_is_written() -> None:
    spec = load(
        Spec, Source("t", "services: [{readonly: true, image: i, env: [], name: n}]\nkernel: {cmdline: c, image: k}")
    )
    assert dump.to_yaml(spec) == (
        "kernel:\n  image: k\n  cmdline: c\nservices:\n- name: n\n  image: i\n  env: []\n  readonly: true\n"
    )


def test_texts_of_several_lines_are_blocks() -> None:
    spec = load(Spec, Source("t", 'files: [{path: a, contents: "x: 1\\ny\\n"}]'))
    assert "contents: |\n    x: 1\n    y\n" in dump.to_yaml(spec)


def test_keys_are_spelled_as_in_yaml() -> None:
    item = Item(name="n", image="i", binds_add=("/a:/b",), oom_score_adj=-5)
    assert list(dump.plain(item)) == ["name", "image", "binds.add", "oomScoreAdj"]


def test_the_schema_is_valid_and_every_field_has_a_meaning() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    made = schema()
    for name, record in {"Spec": made, **made["$defs"]}.items():
        assert record["additionalProperties"] is False
        assert record["description"]
        for key, field in record["properties"].items():
            assert field.get("description"), f"{name}.{key}"


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[2] / "fixtures" / "linuxkit").glob("*.yml")), ids=lambda p: p.stem
)
def test_the_schema_accepts_the_examples_as_a_yaml_reader_sees_them(path: Path) -> None:
    import yaml

    text = path.read_text().replace("contents: |\n#", "contents: |\n      #")
    SCHEMA.validate(yaml.safe_load(text))


scalars = st.sampled_from(
    [None, True, 5, "5", "x", "all", "yaml", [], ["x"], {}, {"x": "y"}, {"x": None}, [{"name": "a"}]]
)
keys = [
    "kernel",
    "init",
    "services",
    "files",
    "name",
    "image",
    "cmdline",
    "path",
    "readonly",
    "env",
    "uid",
    "sysctl",
    "zzz",
]
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(keys), inner, max_size=4)),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["kernel", "init", "services", "files", "volumes", "trust"]), trees, max_size=3))
def test_the_schema_and_the_decoder_agree(tree: object) -> None:
    try:
        load(Spec, Source("t", json.dumps(tree)))
        accepted = True
    except FinbackError:
        accepted = False
    assert SCHEMA.is_valid(tree) == accepted
