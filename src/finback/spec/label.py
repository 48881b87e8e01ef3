"""Defaults that an image brings: its label ``org.mobyproject.config`` and its OCI configuration.

Source: compat 1.6 (the column of precedence) and 1.7; OCI image specification 1.1, config.md.
"""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

from finback.codec import strict_json
from finback.codec.strict_json import JsonError
from finback.ground.diagnostic import Diagnostic, FinbackError, Severity
from finback.ground.source import Source
from finback.oci.configuration import Configuration
from finback.spec.decode import load_partly
from finback.spec.model import BindNS, Item, Runtime, Settings
from finback.spec.settings import check_settings

LABEL = "org.mobyproject.config"
_USED_UP = ("origin", "capabilities_add", "binds_add", "runtime")


def parse(text: str, reference: str) -> Settings:
    """The settings that a label's JSON or YAML *text* gives; *reference* names the image in errors.

    Raises:
        FinbackError: F126, the label is malformed, or has unknown keys or values. The notes say what and where.

    """
    settings, problems = load_partly(Settings, Source(f"label {LABEL} of {reference}", _spread(text)))
    if settings is not None:
        problems += tuple(d for d in check_settings(settings) if d.severity is Severity.ERROR)
    if problems or settings is None:
        raise FinbackError(
            Diagnostic(
                code="F126",
                message=f"the label {LABEL} of {reference} is wrong",
                notes=tuple(f"{d.message} (line {d.span.line + 1 if d.span else 1})" for d in problems),
                help="use another version of the image, or mend its label and build it anew",
            )
        )
    return settings


def effective(item: Item, label: Settings | None, image: Configuration) -> Settings:
    """The settings of *item* completed: its own, then those of the label, then those of the image's configuration.

    `capabilities.add` and `binds.add` are used up.
    What nothing gives stays None, except `cwd`, which is `/` then.
    """
    defaults = label or Settings()
    values: dict[str, Any] = {}
    for field in fields(Settings):
        if field.name not in _USED_UP:
            own = getattr(item, field.name)
            # An empty text means "not given", as in LinuxKit; an empty list or mapping clears.
            values[field.name] = getattr(defaults, field.name) if own is None or own == "" else own
    if item.capabilities is None and item.capabilities_add:
        values["capabilities"] = _joined_capabilities(defaults.capabilities or (), item.capabilities_add)
    if item.binds is None and item.binds_add:
        values["binds"] = tuple(dict.fromkeys((defaults.binds or ()) + item.binds_add))
    if values["command"] is None:
        values["command"] = image.command or None
    if values["env"] is None:
        values["env"] = image.environment or None
    values["cwd"] = values["cwd"] or image.folder or "/"
    return Settings(**values, runtime=_runtime(item.runtime, defaults.runtime), origin=item.origin)


def _spread(text: str) -> str:
    """Labels are mostly one long line of JSON: spread it, so that a line number says something.

    JSON's pairs of surrogate escapes, which YAML does not know, become the characters they mean.
    """
    try:
        return json.dumps(strict_json.plain(text), indent=2, ensure_ascii=False)
    except JsonError:
        return text


def _joined_capabilities(label: tuple[str, ...], added: tuple[str, ...]) -> tuple[str, ...]:
    """Both lists; the word `all` takes in every other, `none` gives way to any."""
    names = tuple(dict.fromkeys(label + added))
    if any(n.lower() == "all" for n in names):
        return ("all",)
    return tuple(n for n in names if n.lower() != "none") or ("none",)


def _runtime(own: Runtime | None, label: Runtime | None) -> Runtime | None:
    if own is None or label is None:
        return own or label
    merged = {
        f.name: getattr(label, f.name) if getattr(own, f.name) is None else getattr(own, f.name)
        for f in fields(Runtime)
        if f.name not in ("origin", "bind_ns")
    }
    return replace(own, **merged, bind_ns=_bind_ns(own.bind_ns, label.bind_ns))


def _bind_ns(own: BindNS | None, label: BindNS | None) -> BindNS | None:
    if own is None or label is None:
        return own or label
    names = [f.name for f in fields(BindNS) if f.name != "origin"]
    return BindNS(**{n: getattr(own, n) or getattr(label, n) for n in names}, origin=own.origin)
