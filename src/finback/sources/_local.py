"""What sources that read this machine share: paths beside the YAML file, and the lock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.source import Span
from finback.host import environment
from finback.host.store import Store
from finback.oci import image
from finback.resolve.catalogue import Found, Wanted
from finback.resolve.plan import ImagePin


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
