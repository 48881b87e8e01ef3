"""What sources that read this machine share: paths beside the YAML file, and the lock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.event import task
from finback.ground.platform import Platform
from finback.ground.source import Span
from finback.host import environment
from finback.host.store import Store
from finback.oci import image, located
from finback.resolve.catalogue import Found, Wanted
from finback.resolve.plan import ImagePin
from finback.sources import Surroundings

if TYPE_CHECKING:
    from finback.oci.files import Files


Take = Callable[["Files", str, Platform, Store], Digest]
"""Puts the image called by the second argument ("": the only one) from what was opened into the store."""


class PlaceCatalogue:
    """Answers ``SOURCE:PATH`` and ``SOURCE:PATH:NAME``; PATH is relative to the YAML file and has no colon."""

    def __init__(self, surroundings: Surroundings, take: Take) -> None:
        self._around = surroundings
        self._take = take

    def find(self, wanted: Wanted) -> Found:
        """The image that *wanted* names.

        Raises:
            FinbackError: as `files.opened` and what takes the image; F603, the lock pins another image.

        """
        reference = located.parse(wanted.reference)
        assert isinstance(reference, located.Located)
        path, name = reference.split()
        store = self._around.store

        def take() -> Digest:
            from finback.oci import files

            with (
                task(self._around.emit, wanted.reference, f"image {wanted.reference}"),
                files.opened(beside(path, wanted.span), store) as found,
            ):
                return self._take(found, name, wanted.platform, store)

        return answer(wanted, name, store, take)


def beside(path: str, span: Span | None) -> Path:
    """A path that a YAML file names, relative to that file."""
    if path.startswith("~/"):
        return environment.home() / path[2:]
    folder = Path(span.source.name).parent if span and span.source.name != "<stdin>" else Path()
    return folder / path


def answer(wanted: Wanted, version: str, store: Store, take: Callable[[], Digest]) -> Found:
    """The image that the lock pins if it is still to be had, else what *take* puts into the store.

    Raises:
        FinbackError: F603, the build is frozen and there is another image now; whatever *take* raises.

    """
    locked = wanted.locked.digest if wanted.locked else None
    digest = locked if locked is not None and image.is_whole(store, locked) else take()
    if wanted.frozen and digest != locked:
        raise error(
            "F603",
            f"{wanted.reference} is not the image that the lock pins (locked {locked}, found {digest})",
            wanted.span,
            help="bring the image back, or run `finback lock` and look at the difference",
        )
    pin = ImagePin(reference=wanted.reference, digest=digest, version=version)
    return Found(pin=pin, config=image.load(store, digest).config)
