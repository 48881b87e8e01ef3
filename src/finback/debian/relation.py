"""Relations between packages: ``libc6 (>= 2.38), a | b [amd64]``.

Subset: build profiles (``<!nocheck>``) are read over; binary packages have none. Specification: Debian Policy 7.1 and,
for the qualifiers after a colon, Ubuntu's MultiarchSpec, section "Dependencies".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

_ATOM = re.compile(
    r"\s*(?P<name>[a-zA-Z0-9][a-zA-Z0-9+.-]*)(?::(?P<arch>[a-z0-9-]+))?\s*"
    r"(?:\(\s*(?P<op><<|<=|=|>=|>>|<|>)\s*(?P<version>[A-Za-z0-9][^)\s]*)\s*\))?\s*(?:\[(?P<only>[^\]]*)\])?\s*(?:<[^>]*>\s*)*\Z"
)


@dataclass(frozen=True, slots=True)
class Atom:
    """One package name with the version that is wanted of it."""

    name: str
    operator: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


Alternatives = tuple[Atom, ...]


@functools.lru_cache(maxsize=16384)
def parse(text: str, architecture: str) -> tuple[Alternatives, ...]:
    """The relations of a field, as they are for *architecture* (Debian's word).

    The qualifiers ``any``, ``native`` and the architecture's own name say nothing when only one architecture is
    installed, and are dropped. Another architecture's stays part of the name, which no package has: a need for it
    can't be met, and a conflict with it never arises.

    Raises:
        ValueError: it is not a list of relations.

    """
    out = []
    for part in text.split(","):
        if not part.strip():
            continue
        atoms = (_atom(alternative, architecture) for alternative in part.split("|"))
        applying = tuple(a for a in atoms if a is not None)
        if applying:
            out.append(applying)
    return tuple(out)


def _atom(text: str, architecture: str) -> Atom | None:
    """The alternative *text*, or None when it is not for *architecture*."""
    # Runs of white space would be tried in every way that the pattern's parts can share them.
    found = _ATOM.match(" ".join(text.split()))
    if found is None:
        raise ValueError(f"{text.strip()!r} is not a relation")
    if not applies(found["only"], architecture):
        return None
    name, qualifier = found["name"], found["arch"]
    if qualifier not in (None, "any", "native", architecture):
        name = f"{name}:{qualifier}"
    return Atom(name, found["op"] or "", found["version"] or "")


def applies(restriction: str | None, architecture: str) -> bool:
    """Whether an architecture restriction (``amd64 arm64``, ``!s390x``) includes *architecture*."""
    words = (restriction or "").split()
    if not words:
        return True
    if words[0].startswith("!"):
        return all(w not in (f"!{architecture}", "!linux-any", "!any") for w in words)
    return any(w in (architecture, "any", "linux-any") for w in words)


def restricted(packages: Iterable[str], architecture: str) -> tuple[str, ...]:
    """The names of packages, each ``NAME`` or ``NAME [amd64 arm64]``, that apply to *architecture* (Debian's word)."""
    out = []
    for text in packages:
        name, _, restriction = text.partition("[")
        if applies(restriction.rstrip("] "), architecture):
            out.append(name.strip())
    return tuple(out)
