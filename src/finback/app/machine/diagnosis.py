"""The boot doctor: what the console of a failed boot means, and which line of the spec it comes from."""

from __future__ import annotations

import re

from finback.app.machine.causes import CAUSES, ITEM, PANIC, SILENT, Cause
from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span
from finback.spec.disk import Disk
from finback.spec.model import Item, Spec
from finback.spec.networking import Networking

# What terminals act upon.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n\x20-\x7e\xa0-\U0010ffff]")
LINE = 160
# Characters of the console that are looked at, its last ones, and of one line; the kernel writes up to 1000.
CONSOLE = 4 << 20
LONGEST = 1024


def diagnose(console: str, spec: Spec | None = None) -> tuple[Diagnostic, ...]:
    """The causes that *console* shows, in its order; with lines of *spec* when it is known."""
    text = "\n".join(_bounded(line) for line in _CONTROL.sub("", console[-CONSOLE:]).split("\n"))
    if SILENT.found(text):
        return (_diagnostic(SILENT, None, text, spec),)
    explained: set[tuple[str, str]] = set()
    found: list[tuple[int, Diagnostic]] = []
    for cause in CAUSES:
        # Several matches of one row may be about one topic: the first says enough.
        for match in cause.found(text):
            topic = (cause.topic, match[1] if cause.topic in (ITEM, "volume") else "")
            if topic not in explained:
                explained.add(topic)
                found.append((match.start(), _diagnostic(cause, match, text, spec)))
    return tuple(d for _, d in sorted(found, key=lambda pair: pair[0]))


def _bounded(line: str) -> str:
    """*line*, cut, and broken where a message begins within another: each pattern then meets a short text.

    A guest can write a line in which the patterns' beginnings occur ten thousand times, each to be tried.
    """
    line = line[:LONGEST]
    for begin in ("finback: ", "oom-kill:", "Kernel panic"):
        if line.count(begin) > 1:
            line = line.replace(begin, "\n" + begin)
    return line


def has_panicked(console: str) -> bool:
    """Whether the kernel has given up."""
    return PANIC in console


def _diagnostic(cause: Cause, match: re.Match[str] | None, text: str, spec: Spec | None) -> Diagnostic:
    groups = () if match is None else (match[0], *match.groups())
    notes: tuple[str, ...] = ()
    if match is not None:
        line = text[text.rfind("\n", 0, match.end()) + 1 :].partition("\n")[0]
        notes = (f"the console says: {line.strip()[:LINE]}",)
    span = None
    if spec is not None:
        span = _item_span(spec, groups[1], cause.at) if cause.topic == ITEM else _span(spec, cause.at)
    return Diagnostic(code=cause.code, message=cause.says.format(*groups), span=span, help=cause.help, notes=notes)


def _span(spec: Spec, steps: tuple[str, ...]) -> Span | None:
    if steps[:1] == ("kernel",) and spec.kernel is not None:
        return spec.kernel.origin.at(*steps[1:])
    return spec.origin.at(*steps)


def _item_span(spec: Spec, identity: str, steps: tuple[str, ...]) -> Span | None:
    item = _item(spec, identity)
    if item is None:
        return None
    if steps and (steps not in item.origin.spans):
        steps = ("name",)
    return item.origin.at(*(steps or ("name",)))


def _item(spec: Spec, identity: str) -> Item | Disk | Networking | None:
    """The item that the guest calls so: a service by its name, a step by its place and name."""
    number, _, name = identity.partition("-")
    if number.isdecimal() and name == "network" and spec.network is not None:
        return spec.network
    for disk in spec.disks or ():
        if number.isdecimal() and name == f"disk-{disk.name}":
            return disk
    for steps in (spec.onboot or (), spec.onshutdown or ()):
        if number.isdecimal() and len(number) < 10 and int(number) < len(steps) and steps[int(number)].name == name:
            return steps[int(number)]
    return next((s for s in spec.services or () if s.name == identity), None)
