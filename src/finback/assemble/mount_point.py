"""Mount points that a read-only root lacks.

A container runtime makes a mount point that is missing. In a read-only root it can't: runc then refuses the container,
and crun makes the mount point only where the image itself is in memory, in the tree that all containers of the image
share. So such a container gets a root of two layers (overlayfs without an upper layer, which is read-only): its image,
and below it a folder in memory with the mount points. Source: OCI runtime specification 1.2, config.md, `mounts`;
Linux, Documentation/filesystems/overlayfs.rst, "Multiple lower layers".
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finback.assemble import root_image
from finback.assemble.oci_config import mounts
from finback.assemble.runtime import is_bind
from finback.assemble.view import View
from finback.ground import canonical
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import flatten
from finback.resolve.plan import Container
from finback.spec.model import Runtime

# Raised whenever the same question could have another answer.
VERSION = 1
FOLDER = "/run/finback/points"
"""Where the guest makes them: a folder for each container, in memory."""


@dataclass(frozen=True, slots=True)
class MountPoint:
    """A path that the container needs and its image lacks."""

    path: str
    """Absolute, without links."""
    source: str = ""
    """What is bound there, which decides whether it is a folder or a file; "": a folder."""


def missing(container: Container, image: Digest, volumes: Mapping[str, str], store: Store) -> tuple[MountPoint, ...]:
    """The mount points that *container*, whose image is *image*, lacks; none if its root can be written.

    Raises:
        FinbackError: the image can't be read from the store.

    """
    if not container.settings.readonly:
        return ()
    needed = list(_needed(container, volumes))
    places = [p.path for p in needed]
    covers = _covers(container)
    found = _resolved([*places, *covers], image, store)
    # What lies in another mount has its place there.
    covering = [p.path for p in found[len(places) :]]
    points: dict[str, MountPoint] = {}
    for point, place in zip(needed, found, strict=False):
        inside = any(place.path.startswith(f"{c}/") for c in covering)
        if not place.there and not inside:
            points.setdefault(place.path, MountPoint(place.path, point.source))
    return tuple(points[p] for p in sorted(points))


def folder(container: Container) -> str:
    """Where the guest makes the mount points of *container*."""
    return f"{FOLDER}/{container.directory.removeprefix('containers/')}"


def layered(given: Sequence[Mapping[str, Any]], container: Container, image: str) -> list[Mapping[str, Any]]:
    """The mounts *given*, as `runtime` has them, whose first one is the root: of *image*, an absolute path, and of the
    folder of mount points below it.
    """
    layers = f"lowerdir={image}:{folder(container)}"
    root = {"destination": given[0]["destination"], "type": "overlay", "source": "overlay", "options": ["ro", layers]}
    return [root, *given[1:]]


def _needed(container: Container, volumes: Mapping[str, str]) -> Iterator[MountPoint]:
    """Every path that must be there before the container runs."""
    settings = container.settings
    for mount in mounts(settings, volumes):
        if mount["destination"]:
            yield MountPoint(mount["destination"], mount["source"] if is_bind(mount) else "")
    # Runtimes make the working directory, too.
    yield MountPoint(settings.cwd or "/")
    own = settings.runtime or Runtime()
    # What the guest itself does in the root before the runtime starts.
    for place in (*(m.destination or "" for m in own.mounts or ()), *(own.mkdir or ())):
        if place and not place.startswith("/"):
            yield MountPoint(f"/{place}")


def _covers(container: Container) -> list[str]:
    """Where something is mounted."""
    settings = container.settings
    own = (m.destination or "" for m in (settings.runtime or Runtime()).mounts or ())
    inside = [f"/{p}" for p in own if p and not p.startswith("/")]
    return [*(m["destination"] for m in mounts(settings, {}) if m["destination"]), *inside]


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    there: bool


def _resolved(paths: Iterable[str], image: Digest, store: Store) -> list[_Place]:
    """Where *paths* lead in a container's image, and whether something is there: remembered, because reading an image
    takes as long as a small build may.
    """
    asked = [posixpath.normpath(p) for p in paths]
    key = canonical.digest(["mount-points", VERSION, str(image), asked])
    kept = store.recall(key, lambda value: [_Place(str(p), bool(there)) for p, there in value["places"]])
    if kept is not None and len(kept) == len(asked):
        return kept
    view = View(store.chunks)
    view.lay(root_image.container(flatten.entries(store, image), 0))
    found = [_Place(f"/{view.resolve(p)}", view.exists(p)) for p in asked]
    store.remember(key, {"places": [[p.path, p.there] for p in found]})
    return found
