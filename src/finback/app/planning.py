"""From the files that a user names to a Plan, with the lock honoured and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from finback.app.workspace import Workspace
from finback.ground.diagnostic import Diagnostic, FinbackError, Severity, error
from finback.ground.digest import Digest
from finback.ground.event import Noted, Warned, silent
from finback.ground.platform import Platform
from finback.ground.source import Source, Span
from finback.host import clock, environment, file
from finback.host.machine import host_platform
from finback.spec.check import check_content
from finback.spec.load import Loaded, load_files
from finback.spec.model import Spec

# Checking a spec needs none of these, and importing them takes as long as that.
if TYPE_CHECKING:
    from finback.resolve.lock import Lock
    from finback.resolve.plan import Plan
    from finback.resolve.substitute import Substitute
    from finback.spec.extend import Fetch, Parent

SPEC_LIMIT = 4 << 20
SOURCE_LIMIT = 1 << 30
STDIN = "-"
# LinuxKit's fixed time (compat 2.11), so that nothing has to be set for a reproducible build.
DEFAULT_EPOCH = 1492533000


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a command line says about where a plan comes from."""

    files: tuple[str, ...]
    """YAML files, later ones merged over earlier ones; `-` is standard input."""
    name: str = ""
    """Name of the build. Default: that of the last file."""
    platform: Platform | None = None
    """Default: Linux on this machine's architecture."""
    substitutes: tuple[str, ...] = ()
    library: bool = False
    """Let the library answer every name that it has a counterpart for."""
    lock: Path | None = None
    """The lock file. Default: NAME.lock beside the last file."""
    frozen: bool = False
    update: tuple[str, ...] = ()
    """Names to resolve anew; the word `*` stands for all."""
    given: tuple[str, ...] = ()
    """Values for params, `NAME=VALUE`."""

    @property
    def build_name(self) -> str:
        """The name that outputs begin with."""
        last = self.files[-1]
        return self.name or ("moby" if last == STDIN else Path(last).name.split(".")[0])

    @property
    def lock_path(self) -> Path:
        """Where the lock is."""
        last = self.files[-1]
        folder = Path() if last == STDIN else Path(last).parent
        return self.lock or folder / f"{self.build_name}.lock"


def load_inputs(inputs: Inputs, workspace: Workspace) -> Spec:
    """Read, merge and check the YAML files; warnings are emitted.

    Raises:
        FinbackError: with everything that is wrong in them.

    """
    return load_system(inputs, workspace).spec


def load_system(inputs: Inputs, workspace: Workspace, lock: Lock | None = None) -> Loaded:
    """The same, with what the system is made of. *lock* pins the files that are extended. Default: the lock file.

    Raises:
        FinbackError: with everything that is wrong in the files.

    """
    sources = []
    for name in inputs.files:
        data = file.read_stdin(limit=SPEC_LIMIT) if name == STDIN else file.read(Path(name), limit=SPEC_LIMIT)
        sources.append(Source("<stdin>" if name == STDIN else name, data.decode("utf-8", "surrogateescape")))
    loaded = load_files(sources, _fetch(inputs, workspace, lock), inputs.given)
    for warning in loaded.warnings:
        workspace.emit(Warned(diagnostic=warning))
    nothing = tuple(check_content(loaded.spec))
    if nothing:
        raise FinbackError(*nothing)
    return loaded


def _fetch(inputs: Inputs, workspace: Workspace, lock: Lock | None) -> Fetch:
    """What gets extended files; most systems have none, and then nothing of this is needed."""
    opened: list[Fetch] = []

    def fetch(reference: str, span: Span) -> Parent:
        from finback.app.parents import Parents

        if not opened:
            pins = (lock if lock is not None else read_lock(inputs)).extends
            platform, folder = inputs.platform or host_platform(), inputs.lock_path.parent
            opened.append(Parents(workspace, platform, pins, folder, frozen=inputs.frozen))
        return opened[0](reference, span)

    return fetch


def spec_beside(prefix: Path) -> Spec | None:
    """The spec of the image called *prefix*, where its file lies beside it and is sound."""
    for path in (prefix.with_name(f"{prefix.name}{suffix}") for suffix in (".yml", ".yaml")):
        try:
            return load_inputs(Inputs(files=(str(path),)), Workspace(emit=silent))
        except FinbackError:
            continue
    return None


def make_plan(
    inputs: Inputs, workspace: Workspace, *, formats: Sequence[str] | None = None, look_up: bool = True
) -> tuple[Plan, Spec]:
    """The plan, and the spec that it comes from, as `plan_system` makes them.

    Raises:
        FinbackError: whatever loading, resolving or the lock raises.

    """
    plan, loaded = plan_system(inputs, workspace, formats=formats, look_up=look_up)
    return plan, loaded.spec


def plan_system(
    inputs: Inputs, workspace: Workspace, *, formats: Sequence[str] | None = None, look_up: bool = True
) -> tuple[Plan, Loaded]:
    """The plan, and what it comes from. With *look_up*, the lock file is brought up to date unless frozen.

    *formats* are those whose boot loaders are planned, too; none of them: those that the spec names.

    Raises:
        FinbackError: whatever loading, resolving or the lock raises.

    """
    from finback.app.formats import loaders, named
    from finback.resolve import lock as locking
    from finback.resolve.resolve import Request, resolve

    platform = inputs.platform or host_platform()
    old = read_lock(inputs)
    lock = _loosened(old, inputs, platform)
    loaded = load_system(inputs, workspace, lock)
    spec = loaded.spec
    request = Request(
        spec=spec,
        name=inputs.build_name,
        platform=platform,
        epoch=clock.source_date_epoch(DEFAULT_EPOCH),
        substitute=_substitute(inputs, workspace),
        loaders=() if formats is None else loaders(named(formats, spec.outputs or ()), platform),
        lock=lock,
        frozen=inputs.frozen,
    )
    plan = resolve(request, workspace.catalogue() if look_up else None, _HostFiles(inputs, workspace))
    _note_substitutes(plan, spec, workspace)
    _warn_of_missing_files(plan, workspace)
    if look_up and not inputs.frozen:
        new = replace(lock.with_plan(plan), extends={p.reference: p.digest for p in loaded.parents})
        if locking.encode(new) != locking.encode(old):
            _write_lock(inputs.lock_path, new, workspace)
    return plan, loaded


def read_lock(inputs: Inputs) -> Lock:
    """The lock file's content; empty when there is none.

    Raises:
        FinbackError: F601, it is not a lock file; F602, there is none and the build is frozen.

    """
    from finback.resolve import lock as locking

    path = inputs.lock_path
    if not path.exists():
        if inputs.frozen:
            raise error("F602", f"there is no lock file {path}", help="run `finback lock` to write it")
        return locking.Lock()
    return locking.decode(file.read(path, limit=SPEC_LIMIT).decode("utf-8", "replace"), str(path))


def _loosened(lock: Lock, inputs: Inputs, platform: Platform) -> Lock:
    """*lock* without what `--update` names."""
    if not inputs.update:
        return lock
    pins = {**lock.platforms.get(str(platform), {}), **lock.extends}
    chosen = [
        reference
        for reference in pins
        if "*" in inputs.update or any(reference == n or reference.endswith("/" + n) for n in inputs.update)
    ]
    unknown = [n for n in inputs.update if n != "*" and not any(r == n or r.endswith("/" + n) for r in pins)]
    if unknown:
        raise error("F605", f"the lock pins nothing called {', '.join(unknown)}", help=f"it pins: {', '.join(pins)}")
    return lock.without(str(platform), chosen)


def _substitute(inputs: Inputs, workspace: Workspace) -> Substitute:
    from finback.resolve.substitute import Rule, substitute

    rules = [Rule.parse(r) for r in (*inputs.substitutes, *(workspace.settings.substitute or ()))]

    def answer(name: str) -> str | None:
        component = workspace.library.answering(name)
        return f"finback/{component}" if component else None

    return substitute(rules, answer if inputs.library else None)


def _note_substitutes(plan: Plan, spec: Spec, workspace: Workspace) -> None:
    for pin in dict.fromkeys((i.substitutes, i.reference) for i in plan.images if i.substitutes):
        workspace.emit(Noted(text=f"{pin[0]} is answered by {pin[1].removeprefix('docker.io/')}"))
    if spec.kernel and spec.kernel.ucode and plan.kernel and not plan.kernel.ucode:
        workspace.emit(Noted(text=f"{spec.kernel.ucode} is left out: the library's kernel has no microcode"))


def _warn_of_missing_files(plan: Plan, workspace: Workspace) -> None:
    for item in plan.files:
        if item.content is None and item.symlink is None and not item.directory:
            workspace.emit(
                Warned(
                    diagnostic=Diagnostic(
                        code="F022",
                        message="there is no such file; a build will stop here",
                        span=item.origin.at("source"),
                        help="paths are relative to the YAML file; `optional: true` leaves a missing file out",
                        severity=Severity.WARNING,
                    )
                )
            )


def _write_lock(path: Path, lock: Lock, workspace: Workspace) -> None:
    from finback.resolve import lock as locking

    try:
        with file.writing(path) as out:
            out.write(locking.encode(lock).encode())
    except FinbackError as failure:
        # The build itself is sound; without the lock it is only not repeatable later.
        reason = failure.diagnostics[0].message
        workspace.emit(
            Warned(
                diagnostic=Diagnostic(
                    code="F606",
                    message=f"the lock file was not written: {reason}",
                    help="--lock FILE puts it elsewhere",
                    severity=Severity.WARNING,
                )
            )
        )


class _HostFiles:
    """Files that the spec names by `source`, relative to the YAML file that names them."""

    def __init__(self, inputs: Inputs, workspace: Workspace) -> None:
        self._inputs = inputs
        self._workspace = workspace

    def read(self, path: str, span: Span | None) -> tuple[bytes, int] | None:
        from finback.app.parents import is_remote

        if span and is_remote(span.source):
            raise error(
                "F093",
                f"{span.source.name} is from a registry, and takes a file of this machine: {path}",
                span,
                help="write `contents:` there, or `files.replace:` here",
            )
        if path.startswith("~/"):
            found = environment.home() / path[2:]
        else:
            folder = Path(span.source.name).parent if span and span.source.name != "<stdin>" else Path()
            found = folder / path
        if not found.exists():
            return None
        return file.read(found, limit=SOURCE_LIMIT), found.stat().st_mode & 0o7777

    def keep(self, data: bytes) -> Digest:
        return self._workspace.store.put(data)
