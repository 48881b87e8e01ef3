"""Build the whole library, or a part of it: several components at a time, each on its own.

What was built is remembered in the store for each component and platform, so that a build that was broken off goes on
where it was, and `library push` and `library status` know what there is. One component that can't be built stops none
of the others.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

from finback.app.workspace import Workspace
from finback.ground import canonical
from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.digest import Digest
from finback.ground.event import Advanced, Failed, Finished, Noted, Started, silent
from finback.ground.platform import Platform
from finback.host import clock
from finback.host.machine import processors
from finback.host.store import Store
from finback.oci import image
from finback.resolve import lock
from finback.resolve.catalogue import Wanted
from finback.resolve.plan import ImagePin, loader_reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A component to be built for a platform."""

    name: str
    platform: Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a job: an image, or the reason why there is none."""

    job: Job
    pin: ImagePin | None = None
    size: int = 0
    """Bytes of the uncompressed layers."""
    fresh: bool = False
    """It was not there before."""
    seconds: float = 0
    problems: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a build of the library."""

    outcomes: tuple[Outcome, ...]
    """Those of jobs, in the order of architectures and names."""
    exceptions: tuple[tuple[Job, str], ...] = ()
    """What was not tried, and why: the definition says that it is not for that architecture."""

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The outcomes without an image."""
        return tuple(o for o in self.outcomes if o.pin is None)


# The workspace of a process of the pool, kept from job to job.
_WORKSPACES: list[Workspace] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to build. Without *names* every component."""

    platforms: tuple[Platform, ...]
    names: tuple[str, ...] = ()
    jobs: int = field(default_factory=processors)
    """Builds at a time."""


def build_library(request: Request, workspace: Workspace) -> Report:
    """Build components from what the archive has now.

    Raises:
        FinbackError: F141 an unknown name, or a faulty definition; what can't be built is in the report instead.

    """
    components = [workspace.library.get(n) for n in request.names or workspace.library.names()]
    jobs, exceptions = [], []
    for platform in request.platforms:
        for component in components:
            job = Job(name=component.name, platform=platform)
            reason = (component.definition.exceptions or {}).get(platform.architecture)
            if reason is None:
                jobs.append(job)
            else:
                exceptions.append((job, reason))
    order = {job: number for number, job in enumerate(jobs)}
    outcomes = sorted(_all(jobs, request.jobs, workspace), key=lambda o: order[o.job])
    return Report(outcomes=tuple(outcomes), exceptions=tuple(exceptions))


def _all(jobs: list[Job], at_once: int, workspace: Workspace) -> Iterator[Outcome]:
    """Each job's outcome as it comes. Processes, not threads: half of the work is Python's own."""
    total = len(jobs)
    workspace.emit(Started(task="library", title=f"library, {total} images", total=total, unit="images"))
    context = multiprocessing.get_context("spawn")
    root = workspace.store.root
    with ProcessPoolExecutor(min(at_once, max(total, 1)), context, initializer=_open, initargs=(root,)) as pool:
        waiting: dict[Future[Outcome], Job] = {pool.submit(_one, job): job for job in jobs}
        try:
            for number, future in enumerate(as_completed(waiting), 1):
                outcome = _outcome(future, waiting[future])
                _tell(outcome, number, total, workspace)
                yield outcome
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            workspace.emit(Failed(task="library"))
            raise
    workspace.emit(Finished(task="library"))


def _outcome(future: Future[Outcome], job: Job) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        problem = Diagnostic(
            code="F537",
            message="the process that built it was killed",
            help="mostly for want of memory: give a smaller --jobs, and run the command again: it goes on where it was",
        )
        return Outcome(job=job, problems=(problem,))


def _tell(outcome: Outcome, number: int, total: int, workspace: Workspace) -> None:
    title = f"[{number}/{total}] {outcome.job.name} ({outcome.job.platform.architecture})"
    state = f"{outcome.seconds:.1f} s" if outcome.fresh else "there already"
    if outcome.pin is None:
        state = f"failed: {outcome.problems[0].message}"
    workspace.emit(Noted(text=f"{title}: {state}"))
    workspace.emit(Advanced(task="library", done=number, total=total))


def _open(root: Path) -> None:
    _WORKSPACES.append(Workspace(emit=silent, cache=root))


def _one(job: Job) -> Outcome:
    """Build one component: in a process of its own."""
    (workspace,) = _WORKSPACES
    store, began = workspace.store, clock.monotonic()
    try:
        before = built(job, store)
        wanted = Wanted(reference=loader_reference(job.name), platform=job.platform)
        pin = workspace.catalogue().find(wanted).pin
        assert pin.digest is not None
        size = sum(layer.size for layer in image.load(store, pin.digest).layers)
        fresh = before is None or before.digest != pin.digest
        # Also when the image is the same: the definition that it was made by may not be.
        store.remember(_key(job), lock.describe(pin))
    except FinbackError as failure:
        return Outcome(job=job, problems=failure.diagnostics)
    return Outcome(job=job, pin=pin, size=size, fresh=fresh, seconds=clock.monotonic() - began)


def built(job: Job, store: Store) -> ImagePin | None:
    """What a build of the library made last, if it is in the store."""
    pin = store.recall(_key(job), lambda value: lock.described(loader_reference(job.name), value))
    return pin if pin is not None and pin.digest is not None and image.is_whole(store, pin.digest) else None


def _key(job: Job) -> Digest:
    return canonical.digest(["library", job.name, job.platform])


def jobs_for(names: Iterable[str], platforms: Iterable[Platform], workspace: Workspace) -> tuple[Job, ...]:
    """The jobs of *names*, default all, for those of *platforms* that each can be built for.

    Raises:
        FinbackError: F141 an unknown name, or a faulty definition.

    """
    components = [workspace.library.get(n) for n in names or workspace.library.names()]
    return tuple(
        Job(name=c.name, platform=p) for c in components for p in platforms if p.architecture in c.architectures
    )
