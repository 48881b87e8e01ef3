"""The JSON Schema (draft 2020-12) of the YAML file, made from the model: types, words, the texts below its fields."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from finback.spec.decode import EXTENSION, Field, Given, fields_of
from finback.spec.edit import identity, operations
from finback.spec.extend import HEADER, SpecFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PARAM = r"^\$\{params\.[^}]+\}$"
"""What stands for a value of any type."""
# Where a record stands: in a section of the file, or in a list of elements to be merged, both of which may edit lists.
SECTION, MERGED = "Section", "Edit"
EDIT = "Edits "
"""How descriptions of what edits lists begin."""
_DONE = {
    "remove": "elements go, by name",
    "replace": "elements come in the place of others",
    "merge": "elements get other values",
    "before": "elements come before the one that is named",
    "after": "elements come after the one that is named",
    "add": "elements come at its end",
}
_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_GIVEN: dict[str, Any] = {"type": ["string", "number", "boolean", "array"], "items": _SCALAR}


def schema(cls: type[Any] = SpecFile) -> dict[str, Any]:
    """The schema of *cls* and of everything that it is made of."""
    definitions: dict[str, Any] = {}
    root = _record(cls, definitions, SECTION)
    title = "finback Spec" if cls is SpecFile else f"finback {cls.__name__}"
    root["patternProperties"] = {f"^{EXTENSION}": {"description": "A place for anchors; says nothing of its own."}}
    return {"$schema": DIALECT, "title": title, **root, "$defs": dict(sorted(definitions.items()))}


def _record(cls: type[Any], definitions: dict[str, Any], mode: str) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    texts = descriptions(cls)
    properties: dict[str, Any] = {}
    required = []
    for field in dataclasses.fields(cls):
        if field.name == "origin":
            continue
        key = field.metadata.get("key", field.name)
        text = texts.get(field.name)
        kind = _type(hints[field.name], definitions, mode)
        if field.metadata.get("single"):
            kind = {"anyOf": [{"type": "string"}, kind]}
        properties[key] = {**kind, **({"description": text} if text else {})}
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(key)
    if mode:
        for key, at in fields_of(cls).items():
            if at.kind == "list" and key not in HEADER:
                properties |= _edits(key, at.cls, definitions, properties)
    if mode == MERGED:
        required = [k for k in required if k == identity(cls)]
    out: dict[str, Any] = {"type": ["object", "null"] if cls is SpecFile else "object"}
    out["description"] = f"{EDIT}an element with what is given here." if mode == MERGED else _flat(cls.__doc__ or "")
    out |= {"properties": properties, "additionalProperties": False}
    return {**out, "required": required} if required else out


def _edits(
    key: str, element: Field, definitions: dict[str, Any], properties: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The keys that edit the list *key*."""
    items = properties[key].get("anyOf", [properties[key]])[0]
    texts = {"type": "array", "items": {"type": "string"}}
    named = {"type": "object", "additionalProperties": items}
    record = element.kind == "record"
    kinds = {
        "remove": texts,
        "replace": items if record else {"type": "object", "additionalProperties": items["items"]},
        "merge": {"type": "array", "items": _reference(element.cls, definitions, MERGED)} if record else {},
        "before": named,
        "after": named,
        "add": items,
    }
    return {
        f"{key}.{o}": {**kinds[o], "description": f"{EDIT}`{key}` of files before this one: {_DONE[o]}."}
        for o in operations(element)
        if f"{key}.{o}" not in properties
    }


def _type(kind: Any, definitions: dict[str, Any], mode: str) -> dict[str, Any]:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        real = [a for a in args if a is not type(None)]
        options = [_type(a, definitions, mode) for a in real]
        if type(None) in args:
            options.append({"type": "null"})
        return {"anyOf": options}
    if origin is tuple:
        return {"type": ["array", "string"], "pattern": PARAM, "items": _type(args[0], definitions, "")}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _GIVEN if args[1] is Given else _SCALAR}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _reference(kind, definitions, mode)
    return {"anyOf": [{"enum": list(args)}, {"type": "string", "pattern": PARAM}]} if args else _single(kind)


def _single(kind: Any) -> dict[str, Any]:
    # The field decides: to a YAML reader that knows nothing of it, a text may look like a number or a switch.
    return {
        "str": _SCALAR,
        "bool": {"type": ["boolean", "string"], "pattern": PARAM},
        "int": {"type": ["integer", "string"], "pattern": PARAM},
        "Given": _GIVEN,
    }[kind.__name__]


def _reference(cls: type[Any], definitions: dict[str, Any], mode: str) -> dict[str, Any]:
    name = cls.__name__ + mode * (mode == MERGED)
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _record(cls, definitions, mode)
    return {"$ref": f"#/$defs/{name}"}


def descriptions(cls: type[Any]) -> dict[str, str]:
    """The string below each field of *cls*, inherited ones included, as one line."""
    out: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        body = ast.parse(inspect.cleandoc(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        name = ""
        for statement in body.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                name = statement.target.id
            elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and name:
                out[name] = _flat(str(statement.value.value))
    return out


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
