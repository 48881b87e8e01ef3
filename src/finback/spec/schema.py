"""The JSON Schema (draft 2020-12) of the YAML file, made from the model: types, words, the texts below its fields."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from finback.spec.model import Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(cls: type[Any] = Spec) -> dict[str, Any]:
    """The schema of *cls* and of everything that it is made of."""
    definitions: dict[str, Any] = {}
    root = _record(cls, definitions)
    return {"$schema": DIALECT, "title": f"finback {cls.__name__}", **root, "$defs": dict(sorted(definitions.items()))}


def _record(cls: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    texts = descriptions(cls)
    properties: dict[str, Any] = {}
    required = []
    for field in dataclasses.fields(cls):
        if field.name == "origin":
            continue
        key = field.metadata.get("key", field.name)
        text = texts.get(field.name)
        properties[key] = {**_type(hints[field.name], definitions), **({"description": text} if text else {})}
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append(key)
    out: dict[str, Any] = {
        "type": ["object", "null"] if cls is Spec else "object",
        "description": _flat(cls.__doc__ or ""),
    }
    out |= {"properties": properties, "additionalProperties": False}
    return {**out, "required": required} if required else out


def _type(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        real = [a for a in args if a is not type(None)]
        options = [_type(a, definitions) for a in real]
        if type(None) in args:
            options.append({"type": "null"})
        return {"anyOf": options}
    if origin is tuple:
        return {"type": "array", "items": _type(args[0], definitions)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
    if origin is Literal:
        return {"enum": list(args)}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if kind.__name__ not in definitions:
            definitions[kind.__name__] = {}
            definitions[kind.__name__] = _record(kind, definitions)
        return {"$ref": f"#/$defs/{kind.__name__}"}
    # The field decides: to a YAML reader that knows nothing of it, a text may look like a number or a switch.
    return {"type": {"str": ["string", "number", "boolean"], "bool": "boolean", "int": "integer"}[kind.__name__]}


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
