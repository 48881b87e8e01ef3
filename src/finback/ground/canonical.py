"""Values as canonical JSON: the same value gives the same bytes, and so the same digest.

Records (dataclasses) become objects with their fields in declaration order sorted by name; fields that hold their
default and the `origin` field are left out, so that adding an optional field changes no digest.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Mapping
from typing import Any

from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.ground.source import Origin


def plain(value: object) -> Any:
    """*value* as JSON's types: dict, list, str, int, bool, None.

    Raises:
        TypeError: a part of it has no JSON form.

    """
    if value is None or isinstance(value, (str, int, bool, float)):
        return value
    if isinstance(value, (Digest, Platform)):
        return str(value)
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        out = {}
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            if isinstance(item, Origin) or _is_default(field, item):
                continue
            out[field.metadata.get("key", field.name)] = plain(item)
        return out
    raise TypeError(f"{type(value).__name__} has no canonical form")


def encode(value: object) -> bytes:
    """*value* as canonical JSON: keys sorted, no white space, UTF-8."""
    text = json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogateescape")


def digest(value: object) -> Digest:
    """The digest of *value*'s canonical form."""
    return Digest.of(encode(value))


def _is_default(field: dataclasses.Field[Any], item: object) -> bool:
    if field.default is not dataclasses.MISSING:
        return bool(item == field.default) and type(item) is type(field.default)
    if field.default_factory is not dataclasses.MISSING:
        return bool(item == field.default_factory())
    return False
