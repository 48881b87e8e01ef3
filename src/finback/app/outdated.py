"""What has moved since the lock was written: tags of registries, packages of components. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass

from finback.app.library.build import Job
from finback.app.library.status import Indexes
from finback.app.planning import Inputs, read_lock
from finback.app.workspace import Workspace
from finback.ground.diagnostic import FinbackError, error
from finback.ground.platform import Platform
from finback.oci import pull
from finback.oci.reference import Reference
from finback.resolve.plan import ImagePin, PackagePin

LIBRARY = "docker.io/finback/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """Something that is not what it was."""

    platform: str
    subject: str
    """A reference, or `REFERENCE PACKAGE`."""
    locked: str
    now: str


def outdated(inputs: Inputs, workspace: Workspace) -> tuple[Moved, ...]:
    """What `lock --update` would change.

    Raises:
        FinbackError: F602 there is no lock; what asking registries and the archive raises.

    """
    lock = read_lock(inputs)
    if not lock.platforms:
        raise error("F602", f"there is no lock file {inputs.lock_path}", help="run `finback lock` to write it")
    moved: list[Moved] = []
    for name, pins in sorted(lock.platforms.items()):
        platform = Platform.parse(name)
        if inputs.platform not in (None, platform):
            continue
        for _, pin in sorted(pins.items()):
            look = _packages if pin.reference.startswith(LIBRARY) else _tag
            moved += look(pin, platform, workspace)
    return tuple(moved)


def _tag(pin: ImagePin, platform: Platform, workspace: Workspace) -> list[Moved]:
    try:
        reference = Reference.parse(pin.reference)
    except FinbackError:
        # Named by a place on this machine, not by a registry.
        return []
    if reference.digest:
        return []
    _, now = pull.resolve(workspace.registries.get(reference.registry), reference, platform)
    if pin.digest is None or now.digest == pin.digest:
        return []
    return [Moved(platform=str(platform), subject=pin.reference, locked=pin.digest.short, now=now.digest.short)]


def _now(name: str, platform: Platform, workspace: Workspace) -> tuple[PackagePin, ...]:
    """The packages of component *name* as it would be taken now."""
    if workspace.library_from and not workspace.library.is_added(name):
        published = Indexes(workspace.library_from, workspace).pin(Job(name=name, platform=platform))
        return published.packages if published else ()
    component = workspace.library.get(name)
    needs = component.requirements(platform)
    return workspace.archive(platform.architecture).solve(needs, component.definition.without or ()) if needs else ()


def _packages(pin: ImagePin, platform: Platform, workspace: Workspace) -> list[Moved]:
    found = _now(pin.reference.removeprefix(LIBRARY), platform, workspace)
    before, after = ({p.name: p.version for p in pins} for pins in (pin.packages, found))
    return [
        Moved(
            platform=str(platform),
            subject=f"{pin.reference} {name}",
            locked=before.get(name, ""),
            now=after.get(name, ""),
        )
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
