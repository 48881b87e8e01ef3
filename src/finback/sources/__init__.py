"""Where images come from: one module each, binding `SOURCE`.

A source says which references it answers; the catalogue asks the sources in the order of their `rank`, and the first
that claims a reference answers it. All are imported to be asked, so a module here imports what reads images only where
it reads one. What is no reference but ``SOURCE:PLACE`` is answered by the source of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finback.ground.event import Emit
from finback.ground.plugin import Registry
from finback.oci.reference import Reference
from finback.resolve.catalogue import Catalogue

if TYPE_CHECKING:
    from finback.component.archive import Archive
    from finback.component.library import Library
    from finback.host.store import Store
    from finback.oci.registry import Registries


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What sources may use."""

    store: Store
    library: Library
    archive: Callable[[str], Archive]
    """Debian's archive for an OCI architecture; opened when first asked for."""
    registries: Callable[[], Registries]
    """The clients of registries; made when first asked for."""
    emit: Emit
    library_from: str = ""
    """Where components are published, as `finback library push` was given it; "" where they are built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSource:
    """The declaration of a source."""

    open: Callable[[Surroundings], Catalogue]
    claims: Callable[[Reference], bool] | None = None
    """None for a source of images that are named by their place: ``oci-layout:PATH``, with the source's own name."""
    rank: int = 100
    """Lower is asked first."""


SOURCES: Registry[ImageSource] = Registry("finback.sources", "SOURCE", "image source")
