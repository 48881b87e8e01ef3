"""From the files that a user names to a Plan, with the lock honoured and written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from finback.app.workspace import Workspace
from finback.ground.diagnostic import Diagnostic, FinbackError, Severity, error
from finback.ground.digest import Digest
from finback.ground.event import Noted, Warned, silent
from finback.ground.platform import ARCHITECTURES, Platform
from finback.ground.source import Source, Span
from finback.host import clock, file
from finback.host.machine import host_platform
from finback.spec.check import check_content
from finback.spec.load import Loaded, load_files
from finback.spec.model import Spec

# Checking a spec needs none of these, and importing them takes as long as that.
if TYPE_CHECKING:
    from finback.resolve.lock import Answers, Lock, Made
    from finback.resolve.plan import Plan
    from finback.resolve.substitute import Substitute
    from finback.spec.extend import Fetch, Parent

SPEC_LIMIT = 4 << 20
LOCK_LIMIT = 16 << 20
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
    """Substitutions. Default: those that the lock remembers; an empty text in their place forgets them."""
    library: bool | None = None
    """Let the library answer every name that it has a counterpart for. Default: as the lock remembers."""
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
    def output_name(self) -> str:
        """What the names of output files begin with.

        It is the build's name, and for another architecture than this machine's that architecture as well, so that
        builds for several architectures do not overwrite each other's files. A name that was asked for stays as it is.
        """
        if self.name or self.platform is None or self.platform == host_platform():
            return self.build_name
        words = (self.build_name, self.platform.architecture, self.platform.variant)
        return "-".join(w for w in words if w)

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
    # Builds for another architecture have it in their names (`Inputs.output_name`).
    names = [prefix.name, *(prefix.name.removesuffix(f"-{a}") for a in ARCHITECTURES if prefix.name.endswith(f"-{a}"))]
    for path in (prefix.with_name(f"{name}{suffix}") for name in names for suffix in (".yml", ".yaml")):
        try:
            return load_inputs(Inputs(files=(str(path),)), Workspace(emit=silent))
        except FinbackError:
            continue
    return None


def make_plan(
    inputs: Inputs,
    workspace: Workspace,
    *,
    formats: Sequence[str] | None = None,
    look_up: bool = True,
    lock_required: bool = False,
) -> tuple[Plan, Spec]:
    """The plan, and the spec that it comes from, as `plan_system` makes them.

    Raises:
        FinbackError: whatever loading, resolving or the lock raises.

    """
    plan, loaded = plan_system(inputs, workspace, formats=formats, look_up=look_up, lock_required=lock_required)
    return plan, loaded.spec


def plan_system(
    inputs: Inputs,
    workspace: Workspace,
    *,
    formats: Sequence[str] | None = None,
    look_up: bool = True,
    lock_required: bool = False,
) -> tuple[Plan, Loaded]:
    """The plan, and what it comes from. With *look_up*, the lock file is brought up to date unless frozen.

    *formats* are those whose boot loaders are planned, too; none of them: those that the spec names. A lock file that
    can't be written is an error with *lock_required*, else a warning.

    Raises:
        FinbackError: whatever loading, resolving or the lock raises.

    """
    from finback.app import frozen
    from finback.app.formats import loaders, named
    from finback.app.host_files import HostFiles
    from finback.resolve.resolve import Request, resolve

    platform = inputs.platform or host_platform()
    old = read_lock(inputs)
    pinned = frozen.pinned(old, platform, inputs.lock_path) if inputs.frozen and look_up else None
    lock = _loosened(old, inputs, platform)
    loaded = load_system(inputs, workspace, lock)
    spec, answers = loaded.spec, _answers(inputs, workspace, old)
    needed = () if formats is None else loaders(named(formats, spec.outputs or ()), platform)
    request = Request(
        spec=spec,
        name=inputs.build_name,
        platform=platform,
        epoch=clock.source_date_epoch(DEFAULT_EPOCH) if pinned is None else frozen.epoch(pinned),
        substitute=_substitute(answers, workspace),
        loaders=tuple(dict.fromkeys((*needed, *_dropped_loaders(old, lock, platform, workspace)))),
        lock=lock,
        frozen=inputs.frozen,
    )
    files = HostFiles(inputs.lock_path.parent, workspace.store, pinned)
    plan = resolve(request, workspace.catalogue() if look_up else None, files)
    _note_substitutes(plan, spec, workspace)
    _warn_of_missing_files(plan, workspace)
    if pinned is not None:
        frozen.check(plan, pinned, files.found)
    elif look_up:
        new = lock.with_plan(plan).with_files(plan, files.found)
        new = replace(new, extends={p.reference: p.digest for p in loaded.parents}, answers=answers)
        _update_lock(inputs, old, new, platform, workspace, required=lock_required)
    return plan, loaded


def remember_made(inputs: Inputs, plan: Plan, made: Mapping[str, Made], workspace: Workspace) -> None:
    """Add to the lock file what was built from *plan*. A lock file that can't be written is a warning."""
    from finback.resolve.lock import plan_digest

    old = read_lock(inputs)
    system = old.systems.get(str(plan.platform))
    if system is None or system.plan != plan_digest(plan):
        # The lock file could not be written before, which was said; or another build has written it meanwhile.
        return
    new = old.with_made(str(plan.platform), made)
    _update_lock(inputs, old, new, plan.platform, workspace, required=False)


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
    return locking.decode(file.read(path, limit=LOCK_LIMIT).decode("utf-8", "surrogateescape"), str(path))


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


def _dropped_loaders(old: Lock, lock: Lock, platform: Platform, workspace: Workspace) -> tuple[str, ...]:
    """Boot loaders that *old* pins and *lock* no longer does: `--update` takes the newest of them, and keeps them."""
    from finback.resolve.plan import LOADER_PREFIX

    gone = [r for r in old.loaders(str(platform)) if lock.pin(str(platform), r) is None]
    # Another version of finback may have had other loaders.
    return tuple(r for r in gone if r.removeprefix(LOADER_PREFIX) in workspace.library.names())


def _answers(inputs: Inputs, workspace: Workspace, lock: Lock) -> Answers:
    """Which names are answered by other images: as the command line says, else as the lock remembers.

    Settings of this user come after that; a frozen build does not depend on them.
    """
    from finback.resolve.lock import Answers

    given = tuple(r for r in inputs.substitutes if r) if inputs.substitutes else lock.answers.substitutes
    settings = () if inputs.frozen else workspace.settings.substitute or ()
    return Answers(
        library=lock.answers.library if inputs.library is None else inputs.library,
        substitutes=tuple(dict.fromkeys((*given, *settings))),
    )


def _substitute(answers: Answers, workspace: Workspace) -> Substitute:
    from finback.resolve.substitute import Rule, substitute

    rules = [Rule.parse(r) for r in answers.substitutes]

    def answer(name: str) -> str | None:
        component = workspace.library.answering(name)
        return f"finback/{component}" if component else None

    return substitute(rules, answer if answers.library else None)


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


def _update_lock(
    inputs: Inputs, old: Lock, new: Lock, platform: Platform, workspace: Workspace, *, required: bool
) -> None:
    """Write the lock file if *new* differs from *old*; where that fails, warn, or with *required* raise.

    What another process has written for other platforms meanwhile stays.

    Raises:
        FinbackError: F606, it can't be written.

    """
    from finback.resolve import lock as locking

    if locking.encode(new) == locking.encode(old):
        return
    path = inputs.lock_path
    try:
        with workspace.store.lock(f"lock-file-{Digest.of(os.fsencode(path.absolute())).short}"):
            text = locking.encode(new.beside(read_lock(inputs), platform))
            with file.writing(path) as out:
                out.write(text.encode("utf-8", "surrogateescape"))
    except FinbackError as failure:
        problem = Diagnostic(
            code="F606",
            message=f"the lock file was not written: {failure.diagnostics[0].message}",
            help="--lock FILE puts it elsewhere",
        )
        if required:
            raise FinbackError(problem) from None
        # The build itself is sound; without the lock it is only not repeatable later.
        workspace.emit(Warned(diagnostic=replace(problem, severity=Severity.WARNING)))
