"""Whether a system can boot, as far as that is known before it is written: one module per check, binding `CHECK`.

A module here is found by its name; nothing else has to be edited. A check yields what it finds: an error where the
system can't work, a warning where it may not. What can't be known from the images and the spec (what a step makes at
run time, what a mount covers) is passed over. What was learnt of an image is remembered by its digest, so that the next
build asks for a record and reads no image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from finback.assemble.system import Contents, System
from finback.ground.diagnostic import Diagnostic
from finback.ground.plugin import Registry
from finback.host.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is looked at."""

    system: System
    roots: frozenset[str]
    """How the formats to be made bring the root: as `Format.root` has it."""
    store: Store
    contents: Contents
    optional: tuple[str, ...] = ()
    """Absolute paths of files that the spec lets be left out."""
    memory: Mapping[str, int] = field(default_factory=dict)
    """MiB that formats give the machine, by their names."""


Check = Callable[[Subject], Iterable[Diagnostic]]

CHECKS: Registry[Check] = Registry("finback.assemble.bootable", "CHECK", "check")


def findings(subject: Subject) -> Iterator[Diagnostic]:
    """What all checks find in *subject*."""
    for _, check in CHECKS:
        yield from check(subject)
