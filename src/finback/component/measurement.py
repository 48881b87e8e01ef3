"""How large a component is and what it exposes, as files in the components' folders: `measured.yml`.

The file is made by `finback library measure --record` from images that were built, so that documentation and tests can
state figures without a network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from finback.component.library import Component
from finback.ground import canonical
from finback.ground.source import Origin, Source, origin
from finback.host import file
from finback.spec.decode import load
from finback.spec.model import key

MEASURED = "measured.yml"
LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A component's image for one architecture."""

    architecture: str
    digest: str
    """Of the component that was measured: `Component.digest`."""
    size: int
    """Bytes of its files."""
    files: int
    programs: int
    """ELF files: programs and libraries."""
    packages: int
    """Debian packages that it has something of."""
    closure_packages: int = key("closurePackages")
    """Packages that apt would install for the same, without Recommends and Essential."""
    closure_size: int = key("closureSize")
    """What Debian says that those take."""
    version: str | None = None
    set_id: tuple[str, ...] | None = key("setId")
    """Files that run as their owner or group, whoever starts them."""
    licences: tuple[str, ...] | None = None
    """SPDX identifiers in the licences of its packages. `finback component sbom` has the expression of each package."""
    guessed: tuple[str, ...] | None = None
    """Packages whose copyright file is not machine-readable: their licences are guesses."""
    language: str | None = None
    """What its leading package is written in, where that is memory-safe and the package says so: `go`, `rust`."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All measurements of a component."""

    images: tuple[Measurement, ...]
    origin: Origin = origin()


def measured(component: Component) -> Mapping[str, Measurement]:
    """What is recorded of *component*, by architecture, for whatever state of it.

    Raises:
        FinbackError: F0xx, the file is not what `record` writes.

    """
    path = component.folder / MEASURED
    if not path.exists():
        return {}
    text = file.read(path, limit=LIMIT).decode("utf-8", "surrogateescape")
    found = load(Measured, Source(str(path), text)).images
    return {m.architecture: m for m in found}


def record(component: Component, *found: Measurement) -> None:
    """Write down *found* beside what is recorded of other architectures."""
    every = {**measured(component), **{m.architecture: m for m in found}}
    lines = ["# Written by `finback library measure --record`.", "images:"]
    for architecture in sorted(a for a in every if a in component.architectures):
        fields = [f"{name}: {json.dumps(value)}" for name, value in canonical.plain(every[architecture]).items()]
        lines += [f"  {'- ' if number == 0 else '  '}{text}" for number, text in enumerate(fields)]
    with file.writing(component.folder / MEASURED) as out:
        out.write("\n".join([*lines, ""]).encode())
