"""What of the library is outdated: what was built or published, against what the archive has. Nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from finback.app.library.build import Job, built, jobs_for
from finback.app.workspace import Workspace
from finback.ground.event import Advanced, Finished, Started
from finback.ground.platform import Platform
from finback.oci.manifest import Document
from finback.oci.reference import Reference
from finback.resolve import published
from finback.resolve.plan import ImagePin, PackagePin, loader_reference

SECURITY = "debian-security"
State = Literal["missing", "definition", "package"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One reason why a component is outdated."""

    name: str
    platform: str
    state: State
    """`missing`: there is no image of it; `definition`: its definition is another now; `package`: the archive has
    another version of a package, or the component needs another set of them."""
    package: str = ""
    before: str = ""
    """The package's version in the image; "" when it is not in it."""
    now: str = ""
    """The version that a build would take; "" when it would take none."""
    security: bool = False
    """The new version is from the security archive."""


def library_status(
    names: tuple[str, ...], platforms: tuple[Platform, ...], source: str, workspace: Workspace
) -> tuple[Change, ...]:
    """What a build would change of what the last one made, or of what is published as *source*.

    Raises:
        FinbackError: F141 an unknown name; F127 what is published is no library; what asking the archive and the
            registry raises.

    """
    jobs = jobs_for(names, platforms, workspace)
    indexes = Indexes(source, workspace) if source else None
    out: list[Change] = []
    workspace.emit(Started(task="status", title="library", total=len(jobs), unit="images"))
    for number, job in enumerate(jobs, 1):
        pin = indexes.pin(job) if indexes else built(job, workspace.store)
        out += _changes(job, pin, workspace)
        workspace.emit(Advanced(task="status", done=number, total=len(jobs)))
    workspace.emit(Finished(task="status"))
    return tuple(out)


class Indexes:
    """What is published as *source*, asked for once for each component."""

    def __init__(self, source: str, workspace: Workspace) -> None:
        self._base = Reference.parse(source)
        self._registry = workspace.registries.get(self._base.registry)
        self._known: dict[str, Document | None] = {}

    def pin(self, job: Job) -> ImagePin | None:
        """The pin of what is published for *job*, or None.

        Raises:
            FinbackError: F127 it is no component's; what asking the registry raises.

        """
        base = self._base
        if job.name not in self._known:
            self._known[job.name] = self._registry.find(f"{base.repository}/{job.name}", base.tag or "latest")
        index = self._known[job.name]
        entry = next((m for m in (index.manifests if index else ()) if m.platform == job.platform), None)
        if entry is None:
            return None
        text = entry.annotations.get(published.PIN, "")
        return published.decode(text, loader_reference(job.name), f"{base}/{job.name}")


def _changes(job: Job, pin: ImagePin | None, workspace: Workspace) -> list[Change]:
    name, platform = job.name, str(job.platform)
    if pin is None:
        return [Change(name=name, platform=platform, state="missing")]
    component = workspace.library.get(job.name)
    needs = component.requirements(job.platform)
    found: tuple[PackagePin, ...] = ()
    if needs:
        found = workspace.archive(job.platform.architecture).solve(needs, component.definition.without or ())
    before, after = ({p.name: p for p in pins} for pins in (pin.packages, found))
    changes = []
    if pin.definition != component.digest:
        changes.append(Change(name=name, platform=platform, state="definition"))
    for package in sorted({*before, *after}):
        old, new = before.get(package), after.get(package)
        if old is None or new is None or old.digest != new.digest:
            changes.append(
                Change(
                    name=name,
                    platform=platform,
                    state="package",
                    package=package,
                    before=old.version if old else "",
                    now=new.version if new else "",
                    security=new is not None and new.archive == SECURITY,
                )
            )
    return changes
