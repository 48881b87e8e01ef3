"""Measure what was built: size and surface of components, beside what apt would install for the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

from finback.app.library.build import Job, built, jobs_for
from finback.app.workspace import Workspace
from finback.component import inventory
from finback.component.measurement import Measurement, record
from finback.debian import deb
from finback.debian.copyright import identifiers
from finback.ground.diagnostic import error
from finback.ground.event import Advanced, Finished, Started
from finback.ground.platform import Platform
from finback.host.file import opened
from finback.oci import flatten
from finback.resolve.plan import ImagePin, PackagePin

# Fields in which packages name the compilers and libraries that are inside their programs, and where they come from.
# Source: Debian Policy 7.8; dh-golang and dh-cargo, which write them; the teams' names of source packages.
_BUILT_WITH = ("Source", "Built-Using", "Static-Built-Using", "X-Cargo-Built-Using")
_LANGUAGES = (("go", re.compile(r"\bgolang-[\da-z]")), ("rust", re.compile(r"\b(?:rustc|rust-[a-z])")))


def measure(
    names: tuple[str, ...], platforms: tuple[Platform, ...], workspace: Workspace, *, keep: bool
) -> Iterator[tuple[Job, Measurement]]:
    """Measure components that `build_library` made, one after the other; with *keep*, record them in their folders.

    Raises:
        FinbackError: F141 an unknown name; F175 one was not built; what reading the archive's index raises.

    """
    jobs = jobs_for(names, platforms, workspace)
    pins = {job: built(job, workspace.store) for job in jobs}
    workspace.emit(Started(task="measure", title="measuring", total=len(jobs), unit="images"))
    for number, job in enumerate(jobs, 1):
        pin = pins[job]
        if pin is None:
            if names:
                raise error(
                    "F175",
                    f"component {job.name} was not built for {job.platform.architecture}",
                    help=f"run `finback library build {job.name} --arch {job.platform.architecture}`",
                )
            continue
        found = _measure(job, pin, workspace)
        if keep:
            record(workspace.library.get(job.name), found)
        workspace.emit(Advanced(task="measure", done=number, total=len(jobs)))
        yield job, found
    workspace.emit(Finished(task="measure"))


def _measure(job: Job, pin: ImagePin, workspace: Workspace) -> Measurement:
    assert pin.digest is not None
    found = inventory.take(flatten.entries(workspace.store, pin.digest), workspace.store.chunks)
    needs = workspace.library.get(job.name).requirements(job.platform)
    count, size = workspace.archive(job.platform.architecture).installed(needs) if needs else (0, 0)
    licences = sorted({i for p in found.packages for part in p.licence.parts for i in identifiers(part)})
    guessed = sorted(p.name for p in found.packages if p.licence.how != "declared")
    return Measurement(
        architecture=job.platform.architecture,
        digest=str(pin.definition),
        version=pin.version or None,
        size=found.size,
        files=found.files,
        programs=found.programs,
        packages=len(found.packages),
        closure_packages=count,
        closure_size=size,
        set_id=found.set_id or None,
        licences=tuple(licences) or None,
        guessed=tuple(guessed) or None,
        language=_language(next((p for p in pin.packages if needs and p.name == needs[0]), None), workspace),
    )


def _language(package: PackagePin | None, workspace: Workspace) -> str | None:
    """What the package says that it is written in; None when it does not say, or is not at hand."""
    if package is None or not workspace.store.has(package.digest):
        return None
    with opened(workspace.store.verified(package.digest)) as stream:
        fields = deb.fields(stream, package.name)
    text = " ".join(fields.get(name, "") for name in _BUILT_WITH)
    return next((language for language, pattern in _LANGUAGES if pattern.search(text)), None)
