"""Where every value of a system comes from: the file and line, the params in it, or the image that brings it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finback.ground.source import Origin, Span, Step
from finback.resolve.plan import Container, Plan
from finback.spec.dump import plain
from finback.spec.model import Settings, Spec
from finback.spec.param import Setting

_IDENTITIES = ("name", "path", "destination", "format")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A value, and where it comes from."""

    key: str
    """The way to it, elements of lists by name: `services.web.ready.tcp`."""
    value: Any
    """As JSON's types."""
    source: str
    """`FILE:LINE`, or what brings it where the files say nothing of it."""
    params: tuple[str, ...] = ()
    """The params that it is made of, each with its value and where that comes from."""


def explain(spec: Spec, plan: Plan, params: Mapping[str, Setting]) -> Iterator[Explained]:
    """Every value of *spec*, then what images bring to the containers of *plan*."""
    for key, value, span in _record("", spec):
        used = tuple(_param(params[name]) for name in (span.params if span else ()))
        yield Explained(key=key, value=value, source=_place(span), params=used)
    for container in plan.containers:
        items = {i.name: i for i in getattr(spec, container.section, None) or ()}
        # Some stand for a section, whose values are explained already.
        yield from _brought(container, items.get(container.name))


def _param(setting: Setting) -> str:
    value = setting.value if isinstance(setting.value, str) else ", ".join(setting.value)
    place = _place(setting.span)
    return f"{setting.name} = {value} ({place.partition(':')[0] if place.startswith('--set') else place})"


def _place(span: Span | None) -> str:
    return f"{span.source.name}:{span.line + 1}" if span else ""


def _record(path: str, record: Any) -> Iterator[tuple[str, Any, Span | None]]:
    """The values of *record*, which *path* leads to, with the places where they stand."""
    origin: Origin = record.origin
    fields = sorted(dataclasses.fields(record), key=lambda f: f.name not in ("name", "image"))
    for field in fields:
        value = getattr(record, field.name)
        key = field.metadata.get("key", field.name)
        if field.name != "origin" and value is not None:
            yield from _value(f"{path}.{key}".lstrip("."), value, origin, (key,))


def _value(path: str, value: Any, origin: Origin, steps: tuple[Step, ...]) -> Iterator[tuple[str, Any, Span | None]]:
    if isinstance(value, tuple) and value:
        for i, element in enumerate(value):
            known = dataclasses.is_dataclass(element)
            name = next((n for k in _IDENTITIES if known and (n := getattr(element, k, None))), None)
            inner = f"{path}.{name}" if name else f"{path}[{i}]"
            yield from _value(inner, element, origin, (*steps, i))
    elif isinstance(value, Mapping) and value:
        for key, element in value.items():
            yield f"{path}.{key}", element, origin.at(*steps, key)
    elif dataclasses.is_dataclass(value):
        yield from _record(path, value)
    else:
        yield path, plain(value), origin.at(*steps)


def shared(settings: Settings) -> Iterator[str]:
    """In words, what a container has in common with the machine and with all others that share it, too."""
    kinds = (
        ("net", "root", "the machine's network: addresses, ports, loopback, abstract sockets"),
        ("ipc", "root", "the machine's IPC: System V shared memory, semaphores, message queues"),
        ("uts", "root", "the machine's host name"),
        ("pid", "new", "the machine's processes"),
    )
    for field, default, words in kinds:
        if (getattr(settings, field) or default) in ("root", "host"):
            yield f"{words} (`{field}: new` ends that)"


def _brought(container: Container, item: Settings | None) -> Iterator[Explained]:
    """What the image of *container* says, and the files do not; what is usual where neither does; what that lacks; what
    it shares.
    """
    prefix = f"{container.section}.{container.name}"
    for words in container.relaxed:
        yield Explained(key=f"{prefix} (less confined)", value=words, source=_place(container.origin.span))
    for words in shared(container.settings):
        yield Explained(key=f"{prefix} (shared)", value=words, source=_place(container.origin.span))
    if item is None:
        return
    for field in dataclasses.fields(Settings):
        value = getattr(container.settings, field.name)
        key = field.metadata.get("key", field.name)
        # Ids are filled in even where nothing gives any.
        if field.name == "origin" or value in (None, 0, ()) or getattr(item, field.name) == value:
            continue
        if getattr(item, field.name) is None:
            source = "the usual confinement" if field.name in container.usual else container.image.reference
            yield Explained(key=f"{prefix}.{key}", value=plain(value), source=source)
