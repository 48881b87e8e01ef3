"""Sections of the spec that become steps of the boot: one module per section, binding `SECTION`.

What such a section declares is compiled here to plain text for a component of the library, so that the machine parses
nothing: steps that run before `onboot`, services, and the files that both read. A module here is found by its name; a
spec without its section gets nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from finback.ground.plugin import Registry
from finback.ground.source import Origin, origin
from finback.resolve.plan import Driver
from finback.spec.model import Item, Settings, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A file below `/etc/finback`."""

    path: str
    contents: str
    mode: int = 0o644
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What a section adds to the system."""

    early: tuple[Item, ...] = ()
    """Steps before `onboot`."""
    services: tuple[Item, ...] = ()
    """Services besides those of the file."""
    texts: tuple[Text, ...] = ()
    """What they read."""
    drivers: tuple[Driver, ...] = ()
    """What the kernel must have."""
    mount_points: tuple[str, ...] = ()
    """Absolute paths where the steps mount something."""


def unchanged(_spec: Spec, _item: Item, settings: Settings) -> Settings:
    """A section that has nothing to do with containers of the file."""
    return settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The declaration of a section."""

    rank: int
    """Its steps run after those of sections with a lower one."""
    add: Callable[[Spec], Addition]
    adapt: Callable[[Spec, Item, Settings], Settings] = unchanged
    """The settings of a container of the file, with what the section adds to them."""


SECTIONS: Registry[Section] = Registry("finback.resolve.sections", "SECTION", "section")


def in_order() -> list[Section]:
    """All sections, by their rank."""
    return sorted((section for _, section in SECTIONS), key=lambda s: s.rank)


def addition(spec: Spec) -> Addition:
    """What all sections of *spec* add, in the order of the sections."""
    found = Addition()
    for section in in_order():
        more = section.add(spec)
        found = replace(
            found,
            early=found.early + more.early,
            services=found.services + more.services,
            texts=found.texts + more.texts,
            drivers=found.drivers + more.drivers,
            mount_points=found.mount_points + more.mount_points,
        )
    return found


def adapted(spec: Spec, item: Item, settings: Settings) -> Settings:
    """*settings* of *item*, with what all sections of *spec* add to them."""
    for section in in_order():
        settings = section.adapt(spec, item, settings)
    return settings
