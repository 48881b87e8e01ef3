"""A Spec as YAML or JSON text: only what is given, in the model's order."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from finback.spec.model import Spec

# What YAML takes for a line break, or can't hold, unless it is escaped.
_ODD = re.compile("[\r\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def plain(value: object) -> Any:
    """*value* as lists, mappings and scalars, keys spelled as in YAML."""
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    if isinstance(value, Mapping):
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # Inherited fields come first in a dataclass; a reader looks for `name` and `image` first.
        names = sorted(dataclasses.fields(value), key=lambda f: f.name not in ("name", "image"))
        return {
            f.metadata.get("key", f.name): plain(getattr(value, f.name))
            for f in names
            if f.name != "origin" and getattr(value, f.name) is not None
        }
    return value


def to_json(spec: Spec) -> str:
    """The spec as JSON."""
    text = json.dumps(plain(spec), indent=2, ensure_ascii=False)
    return _ODD.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def to_yaml(spec: Spec) -> str:
    """The spec as YAML."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        """Shows texts of several lines as blocks, which a reader knows from the file that he wrote."""

    def text(dumper: Any, value: str) -> Any:
        style = '"' if _ODD.search(value) else "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return str(yaml.dump(plain(spec), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1000))
