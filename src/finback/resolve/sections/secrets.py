"""`secrets`: a step that takes them from where the machine was given them, before all others.

Each container then gets its own copies (`finback.assemble.prepare`), in memory, at /run/secrets.
"""

from __future__ import annotations

from dataclasses import replace

from finback.ground.source import Origin
from finback.resolve.sections import Addition, Section, Text
from finback.spec.model import Item, Settings, Spec

NAME = "secrets"
IMAGE = "finback/credentials"
FOLDER = "/run/finback/secrets"
DESTINATION = "/run/secrets"


def add(spec: Spec) -> Addition:
    """The step, and the names that it looks for."""
    if not spec.secrets:
        return Addition()
    place = Origin(spec.origin.at("secrets"))
    names = "".join(f"{secret.name}\n" for secret in spec.secrets)
    return Addition(
        early=(Item(name=NAME, image=IMAGE, origin=place),),
        texts=(Text(path="secrets", contents=names, origin=place),),
    )


def adapt(_spec: Spec, item: Item, settings: Settings) -> Settings:
    """What asks for secrets sees its own."""
    if not item.secrets:
        return settings
    return replace(settings, binds=(*(settings.binds or ()), f"{FOLDER}/{item.name}:{DESTINATION}:ro"))


SECTION = Section(rank=5, add=add, adapt=adapt)
