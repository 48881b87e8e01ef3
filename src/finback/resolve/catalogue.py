"""What the resolver asks of the world: an image by its reference.

The answer carries the pin, which goes into the plan and the lock, and the image's configuration, from which defaults
of containers come. Implementations live above: the library, registries, layouts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from finback.ground.platform import Platform
from finback.ground.source import Span
from finback.resolve.plan import ImagePin


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A question: which image is `reference`, for `platform`?"""

    reference: str
    """Expanded: `docker.io/finback/nginx`."""
    platform: Platform
    locked: ImagePin | None = None
    """What the lock file says. A catalogue keeps to it as long as it is still to be had."""
    frozen: bool = False
    """Anything but the locked image is an error."""
    span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An answer."""

    pin: ImagePin
    config: Mapping[str, Any] = field(default_factory=dict)
    """The OCI image configuration (image specification 1.1, config.md), whole."""


class Catalogue(Protocol):
    """Finds images."""

    def find(self, wanted: Wanted) -> Found:
        """The image that *wanted* names, present in the store.

        Raises:
            FinbackError: there is none, it can't be reached, or it can't be trusted.

        """


@runtime_checkable
class Preparing(Catalogue, Protocol):
    """A catalogue that can look up several images at the same time."""

    def prepare(self, wanted: Iterable[Wanted]) -> None:
        """Look up those of *wanted* for which waiting is most of the work. What fails is raised by `Catalogue.find`."""
