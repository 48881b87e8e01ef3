"""Boot components and ask what their tests say: several in one machine, then alone whatever failed in company."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from threading import Lock

from finback.app.planning import Inputs
from finback.app.trial import observation
from finback.app.trial import system as trial
from finback.app.trial.system import Trial
from finback.app.workspace import Workspace
from finback.assemble.bootable.console import USUAL
from finback.component import bench
from finback.component.bench import Machine, Subject
from finback.ground.diagnostic import FinbackError
from finback.ground.platform import Platform
from finback.host import child, environment, file, folder
from finback.host.machine import host_platform
from finback.spec.dump import to_yaml

# MiB of a machine before its tests need any.
LEAST = 448


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How components are tested."""

    machines: trial.Options
    together: int = 8
    """Components in one machine, at most."""
    platform: Platform | None = None
    """Default: this machine's."""
    patience: int = 1
    """How many times as long as it says each test may take: for busy machines."""
    again: bool = True
    """Test alone what failed in company: its neighbours may be to blame."""
    level: bool = False
    """Give all tests of a machine the time of the most patient of them: each slows the others down."""

    @property
    def architecture(self) -> str:
        """The architecture of the machines."""
        return (self.platform or host_platform()).architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one component's test."""

    subject: Subject
    trial: Trial
    """Its part of what came of the machine; the seconds are those until the last test held, or was given up."""
    company: tuple[str, ...]
    """The other components in the machine."""


def verdicts(subjects: Sequence[Subject], options: Options, workspace: Workspace) -> Iterator[Verdict]:
    """Test *subjects*; each verdict as it is final."""
    library = workspace.library
    parent = environment.state_folder() / "tests" / "components"
    folder.make_private(parent)
    with child.interruptible(), folder.scratch(parent) as place:
        runner = _Runner(options, workspace, parent, place)
        subjects = [_patient(s, options.patience) for s in subjects]
        lonely: list[Subject] = []
        for verdict in runner.run(bench.pack(subjects, library, options.together)):
            if verdict.trial.passed or not verdict.company or not options.again:
                yield verdict
            else:
                lonely.append(verdict.subject)
        yield from runner.run(Machine(subjects=(s,)) for s in lonely)


def _patient(subject: Subject, patience: int) -> Subject:
    tests = tuple(replace(t, within=(t.within or observation.WITHIN) * patience) for t in subject.tests)
    return subject if patience == 1 else replace(subject, proof=replace(subject.proof, expect=tests))


class _Runner:
    def __init__(self, options: Options, workspace: Workspace, state: Path, place: Path) -> None:
        self._options = options
        self._workspace = workspace
        self._state = state
        self._place = place
        self._building = Lock()
        self._cancelled = Flag()

    def run(self, machines: Iterable[Machine]) -> Iterator[Verdict]:
        waiting = tuple(machines)
        if not waiting:
            return
        with ThreadPoolExecutor(max_workers=self._jobs(waiting)) as pool:
            futures: list[Future[tuple[Verdict, ...]]] = [pool.submit(self._one, m) for m in waiting]
            try:
                for done in as_completed(futures):
                    yield from done.result()
            finally:
                self._cancelled.set()
                for future in futures:
                    future.cancel()
        self._cancelled.clear()

    def _jobs(self, machines: Sequence[Machine]) -> int:
        given = self._options.machines.jobs
        return given or trial.jobs(len(machines), LEAST + max(m.memory for m in machines), 1)

    def _one(self, machine: Machine) -> tuple[Verdict, ...]:
        if self._options.level:
            machine = machine.levelled()
        with folder.scratch(self._place) as place:
            try:
                # The store is one; machines are many.
                with self._building:
                    built = self._build(machine, place)
            except FinbackError as failure:
                if len(machine.subjects) > 1:
                    # One of them can't be built; the others can do without it.
                    return tuple(v for s in machine.subjects for v in self._one(Machine(subjects=(s,))))
                return _verdicts(machine, Trial(name="", source="", outcomes=(), seconds=0, trouble=str(failure)))
            memory = max(built.least, LEAST) + machine.memory
            built = replace(built, memory=memory, hurried=self._options.again and len(machine.subjects) > 1)
            options = self._options.machines
            state = self._state / built.name
            return _verdicts(machine, trial.boot(built, options, state, self._workspace.emit, self._cancelled.is_set))

    def _build(self, machine: Machine, place: Path) -> trial.Built:
        source = place / f"{machine.name}.yml"
        with file.writing(source) as out:
            out.write(to_yaml(machine.spec(USUAL[self._options.architecture])).encode())
        inputs = Inputs(files=(str(source),), platform=self._options.platform)
        workspace = self._workspace
        for subject in machine.subjects:
            if subject.stand_in is not None:
                workspace = workspace.having(subject.stand_in)
        return trial.build(inputs, self._options.machines, place / "out", workspace, machine.format)


def _verdicts(machine: Machine, done: Trial) -> tuple[Verdict, ...]:
    """What came of each of the machine's tests, of what came of the machine."""
    rest = list(done.outcomes)
    found = []
    for one in machine.subjects:
        outcomes = tuple(replace(o, span=t.origin.span) for o, t in zip(rest, one.tests, strict=False))
        del rest[: len(one.tests)]
        failed = bool(done.trouble) or not all(o.passed for o in outcomes)
        part = Trial(
            name=one.name,
            source=str(one.component.folder / "component.yml"),
            outcomes=outcomes,
            seconds=max((o.seconds for o in outcomes), default=done.seconds),
            trouble=done.trouble,
            console=done.console if failed else None,
            tail=done.tail if failed else "",
            causes=done.causes if failed else (),
        )
        company = tuple(s.name for s in machine.subjects if s is not one)
        found.append(Verdict(subject=one, trial=part, company=company))
    return tuple(found)
