"""What a container mounts from the machine is there: in the root, or made by a step before.

A container that may write to a folder of the machine may make anything below it; what is mounted at run time is not
known either. What only an image's label asks for is a warning, and so is an optional file that was left out. Volumes
are checked as the system is put together (F038, F039).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from finback.assemble.bootable import Subject
from finback.assemble.bootable._facts import Questions, of_root
from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.source import Span
from finback.resolve.plan import Container, Plan
from finback.spec.mount import parse_bind

WHOLE = "/"


@dataclass(frozen=True, slots=True)
class _Use:
    container: Container
    source: str
    readonly: bool
    span: Span | None
    own: bool
    """The spec itself asks for it, not the image's label."""


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each bind whose source nothing brings."""
    plan = subject.system.plan
    if not plan.init:
        return
    uses = [u for c in plan.containers for u in _uses(c)]
    sources = tuple(sorted({u.source for u in uses}))
    there = dict(zip(sources, of_root(subject, Questions(paths=sources)).there, strict=True))
    made = _made(plan)
    for use in uses:
        if there[use.source] or any(_below(use.source, m) or _below(m, use.source) for m in made):
            continue
        if any(_may_make(other, use) for other in uses):
            continue
        sure = (
            use.own
            and use.container.section != "onshutdown"
            and not any(_below(path, use.source) for path in subject.optional)
        )
        yield Diagnostic(
            code="F192",
            message=f"{use.container.name} mounts {use.source} of the machine, and nothing brings it",
            span=use.span,
            help=f"make it with `files:` (path: {use.source[1:]}, directory: true), or with `runtime: mkdir:` of "
            f"{use.container.name}, or leave the bind out",
            severity=Severity.ERROR if sure else Severity.WARNING,
        )


def _uses(container: Container) -> Iterator[_Use]:
    """The paths of the machine that *container* mounts."""
    settings, origin = container.settings, container.origin
    binds = settings.binds or ()
    # Those of the label come first, then those that `binds.add` adds.
    added = len(binds) - sum(steps[0] == "binds.add" and len(steps) == 2 for steps in origin.spans)
    whole = ("binds",) in origin.spans
    for number, text in enumerate(binds):
        bind = parse_bind(text)
        if bind.source.startswith("/"):
            more = not whole and number >= added
            span = origin.at("binds.add", number - added) if more else origin.at("binds", number)
            path = posixpath.normpath(bind.source)
            yield _Use(container, path, "ro" in bind.options, span, own=whole or more)
    own = [("mounts", m) for m in settings.mounts or ()]
    own += [("runtime", m) for m in (settings.runtime.mounts if settings.runtime else None) or ()]
    for key, mount in own:
        options = mount.options or ()
        bound = mount.type == "bind" or "bind" in options or "rbind" in options
        if bound and mount.source and mount.source.startswith("/") and "remount" not in options:
            path = posixpath.normpath(mount.source)
            yield _Use(container, path, "ro" in options, origin.at(key), own=(key,) in origin.spans)


def _made(plan: Plan) -> set[str]:
    """What the guest makes before it starts a container: folders and mount points of `runtime`."""
    found: set[str] = set()
    for container in plan.containers:
        runtime = container.settings.runtime
        if runtime is not None:
            found |= {*(runtime.mkdir or ()), *(m.destination for m in runtime.mounts or () if m.destination)}
            found |= {f"/sys/fs/cgroup/{c.strip('/')}" for c in runtime.cgroups or ()}
    return {posixpath.normpath(p) for p in found if p.startswith("/")}


def _may_make(other: _Use, use: _Use) -> bool:
    """Whether a container with *other* may make what *use* mounts. A service runs beside those that need it."""
    strict = other.source != use.source and _below(use.source, other.source)
    return strict and not other.readonly and other.container is not use.container


def _below(path: str, folder: str) -> bool:
    return folder in (path, WHOLE) or path.startswith(f"{folder}/")


CHECK = check
