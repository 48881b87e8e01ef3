"""Several files into one spec, as LinuxKit merges them: later values win, lists are joined. Source: compat 1.2.

Unlike LinuxKit's, volumes of every file can be named, and duplicates are found over all files (`check` sees the whole).
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from finback.ground.source import Origin, Span, Step
from finback.spec.model import Kernel, Spec, Trust

LISTS = ("init", "volumes", "onboot", "onshutdown", "services", "files", "outputs", "tests")


def merge(first: Spec, second: Spec) -> Spec:
    """*second* laid over *first*."""
    values: dict[str, Any] = {}
    spans: dict[tuple[Step, ...], Span] = dict(first.origin.spans)
    for name in LISTS:
        a, b = getattr(first, name), getattr(second, name)
        values[name] = b if a is None else a if b is None else a + b
        for steps, span in second.origin.spans.items():
            if steps[0] == name and len(steps) > 1:
                spans[name, int(steps[1]) + len(a or ()), *steps[2:]] = span
    values["kernel"] = _kernel(first.kernel, second.kernel)
    values["trust"] = _trust(first.trust, second.trust)
    values["machine"] = first.machine if second.machine is None else second.machine
    values["network"] = laid_over(first.network, second.network)
    return Spec(**values, origin=Origin(first.origin.span, spans))


def _kernel(a: Kernel | None, b: Kernel | None) -> Kernel | None:
    if a is None or b is None:
        return b if a is None else a
    spans = dict(a.origin.spans)
    values: dict[str, Any] = {}
    for field in fields(Kernel):
        if field.name == "origin":
            continue
        new = getattr(b, field.name)
        # An empty archive name clears an earlier one; other fields have no empty meaning.
        if new or (new is not None and field.name in ("tar", "ucode")):
            values[field.name] = new
            spans |= {s: p for s, p in b.origin.spans.items() if s[0] == field.name}
    return replace(a, **values, origin=Origin(a.origin.span, spans))


def laid_over(a: Any, b: Any) -> Any:
    """A record of a section laid over another: later values win, lists are joined."""
    if a is None or b is None:
        return b if a is None else a
    spans: dict[tuple[Step, ...], Span] = dict(a.origin.spans)
    values: dict[str, Any] = {}
    for field in fields(a):
        old, new = getattr(a, field.name), getattr(b, field.name)
        if field.name == "origin" or new is None:
            continue
        shift = len(old) if isinstance(old, tuple) else 0
        values[field.name] = old + new if shift else new
        key = field.metadata.get("key", field.name)
        for steps, span in b.origin.spans.items():
            if steps[0] == key and not (shift and len(steps) == 1):
                spans[(key, int(steps[1]) + shift, *steps[2:]) if len(steps) > 1 and shift else steps] = span
    return replace(a, **values, origin=Origin(a.origin.span, spans))


def _trust(a: Trust | None, b: Trust | None) -> Trust | None:
    if a is None or b is None:
        return b if a is None else a
    return Trust(image=(a.image or ()) + (b.image or ()), org=(a.org or ()) + (b.org or ()), origin=b.origin)
