"""Images that are named by the place they are in, not by a registry: ``oci-layout:PATH:NAME``.

The word before the colon is that of a source of images. Three words are reserved; any other word counts when what
follows the colon is written as a path (``word:./x``, ``word:/x``), which no reference can be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from finback.ground.diagnostic import error
from finback.oci.reference import Reference

RESERVED = frozenset({"docker-archive", "docker-daemon", "oci-layout"})
_FORM = re.compile(r"([a-z][a-z0-9-]*):(.*)\Z", re.DOTALL)
_PATH = re.compile(r"/(?!/)|\.\.?/|~/")
MAX_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Located:
    """A place, and the source that knows what to do with it."""

    source: str
    place: str

    @property
    def name(self) -> str:
        """What rules of substitution are compared with: the whole."""
        return str(self)

    @property
    def familiar_name(self) -> str:
        """The same: there is nothing to leave out."""
        return str(self)

    def split(self) -> tuple[str, str]:
        """Path and name: what is before and after the first colon."""
        path, _, name = self.place.partition(":")
        return path, name

    def __str__(self) -> str:
        return f"{self.source}:{self.place}"


AnyReference = Reference | Located


def parse(text: str) -> AnyReference:
    """Read the name of an image as a spec writes it.

    Raises:
        FinbackError: F030, it is none.

    """
    found = _FORM.match(text)
    # What begins with two slashes is a URL, which names no image.
    if found is None or not (found[1] in RESERVED or _PATH.match(found[2])):
        return Reference.parse(text)
    if not found[2].strip(":") or not found[2].isprintable() or len(text) > MAX_LENGTH:
        raise error(
            "F030",
            f"{text[:80]!r} does not say where the image is",
            help=f"write {found[1]}:PATH or {found[1]}:PATH:NAME",
        )
    return Located(found[1], found[2])
