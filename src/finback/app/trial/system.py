"""Build systems, boot each, and see whether its `tests` hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag

from finback.app import build as building
from finback.app.machine import running as machines
from finback.app.machine import start as run
from finback.app.machine.diagnosis import diagnose
from finback.app.machine.guest_address import fixed_address
from finback.app.output import Target
from finback.app.planning import Inputs, load_inputs
from finback.app.trial import expectations
from finback.app.trial.observation import Outcome, observe
from finback.app.workspace import Workspace
from finback.backends import Disk, Forward
from finback.ground.diagnostic import Diagnostic, FinbackError, error
from finback.ground.event import Emit, task
from finback.host import child, clock, environment, file, folder, probe
from finback.host import machine as host
from finback.spec.expectation import Expectation, GuestMachine
from finback.spec.expected import disk as parse_disk
from finback.spec.model import Spec

MEMORY = 1024
TAIL = 40
# Memory of QEMU itself, in MiB, beside the guest's.
OVERHEAD = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the machines are run. Memory in MiB."""

    memory: int | None = None
    """Default: what the file's `machine` says, else 1024."""
    cpus: int | None = None
    """Default: what the file's `machine` says, else 1."""
    accelerator: str = "auto"
    jobs: int | None = None
    """Machines at a time. Default: as many as processors and memory allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one file."""

    name: str
    source: str
    outcomes: tuple[Outcome, ...]
    seconds: float
    console: Path | None = None
    """Kept when something failed."""
    tail: str = ""
    """The end of the console, when something failed."""
    trouble: str = ""
    """Why the machine did not even run."""
    causes: tuple[Diagnostic, ...] = ()
    """What the console shows to be wrong, when something failed."""

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return not self.trouble and all(o.passed for o in self.outcomes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A system that is ready to be booted. Memory in MiB."""

    name: str
    source: str
    prefix: Path
    """What `run` starts; what else the machine needs lies beside it."""
    tests: tuple[Expectation, ...]
    spec: Spec
    machine: GuestMachine
    memory: int
    cpus: int
    least: int = 0
    """The memory that it needs to boot at all, where the build states it."""
    hurried: bool = False
    """Whether what lags far behind the rest is given up: it is tested once more."""


def trials(every: Sequence[Inputs], options: Options, workspace: Workspace) -> Iterator[Trial]:
    """Build all of *every*, one after the other, then boot several at a time; each trial as it ends.

    Raises:
        FinbackError: a build fails, or F068, a file has no tests; before any machine is started.

    """
    parent = environment.state_folder() / "tests"
    folder.make_private(parent)
    with child.interruptible(), folder.scratch(parent) as place:
        built = [build(inputs, options, place / str(n), workspace) for n, inputs in enumerate(every)]
        cancelled = Flag()
        with ThreadPoolExecutor(max_workers=_jobs(options, built)) as pool:
            waiting: list[Future[Trial]] = [
                pool.submit(boot, b, options, parent / b.name, workspace.emit, cancelled.is_set) for b in built
            ]
            try:
                yield from (done.result() for done in as_completed(waiting))
            finally:
                # Interrupted: what has not begun never does, and what runs is stopped.
                cancelled.set()
                for future in waiting:
                    future.cancel()


def _jobs(options: Options, built: Sequence[Built]) -> int:
    if options.jobs is not None:
        return options.jobs
    return jobs(len(built), max(b.memory for b in built), max(b.cpus for b in built))


def jobs(files: int, memory: int, cpus: int) -> int:
    """How many machines run at a time, each of *memory* MiB and *cpus* processors."""
    available = host.available_memory()
    room = files if available is None else available // (memory + OVERHEAD << 20)
    return max(1, min(files, host.processors() // cpus, room))


def build(inputs: Inputs, options: Options, place: Path, workspace: Workspace, form: str = "kernel+initrd") -> Built:
    """Build the system in the output format *form*, in the new folder *place*.

    Raises:
        FinbackError: the build fails, or F068, it has no tests.

    """
    spec = load_inputs(inputs, workspace)
    if not spec.tests:
        name = inputs.files[-1]
        raise error("F068", f"{name} has no tests", help='add some, such as `tests: [{console: "finback: onboot"}]`')
    place.mkdir(parents=True)
    target = Target(formats=(form,), folder=place)
    with task(workspace.emit, f"build-{inputs.build_name}", f"building {inputs.build_name}"):
        made = building.build(inputs, target, workspace)
    machine = spec.machine or GuestMachine()
    return Built(
        name=inputs.build_name,
        source=inputs.files[-1],
        # Kernel and initrd go by the name that they share; a disk is one file.
        prefix=place / inputs.output_name if any(a.role == "kernel" for a in made) else made[0].path,
        tests=completed(spec),
        spec=spec,
        machine=machine,
        memory=options.memory or machine.memory or MEMORY,
        cpus=options.cpus or machine.cpus or 1,
        least=max((a.memory for a in made if a.memory is not None), default=0),
    )


def completed(spec: Spec) -> tuple[Expectation, ...]:
    """The tests of *spec* with the default state of each service that they ask about."""
    asked = {s.name for s in spec.services or () if s.ready is not None}

    def whole(test: Expectation) -> Expectation:
        if test.service is None or test.service.state is not None:
            return test
        return replace(test, service=replace(test.service, state="ready" if test.service.name in asked else "up"))

    return tuple(whole(t) for t in spec.tests or ())


def boot(built: Built, options: Options, state: Path, emit: Emit, cancelled: Callable[[], bool]) -> Trial:
    """Boot *built* and ask its tests. The machine's folder is *state*; its disks and its TPM are new."""
    begun = clock.monotonic()
    try:
        request = _request(built, options.accelerator, state)
        with task(emit, f"test-{built.name}", f"testing {built.name}"):
            machine = run.start(request, emit)
            try:
                asked = tuple(t for t in built.tests if t.size is None)
                again = replace(request, appends=True, anew=False)
                seen = observe(asked, machine, lambda: run.start(again, emit), cancelled, hurried=built.hurried)
                outcomes = (*_weighed(built), *seen)
            finally:
                # It has said all that it was asked; how it ends is not.
                machines.stop(machine, 0)
    except FinbackError as failure:
        seconds = clock.monotonic() - begun
        return Trial(name=built.name, source=built.source, outcomes=(), seconds=seconds, trouble=str(failure))
    failed = not all(o.passed for o in outcomes)
    shown = expectations.console(machine) if failed else ""
    return Trial(
        name=built.name,
        source=built.source,
        outcomes=outcomes,
        seconds=clock.monotonic() - begun,
        console=machine.console if failed else None,
        tail="\n".join(shown.splitlines()[-TAIL:]),
        causes=diagnose(shown, built.spec) if failed else (),
    )


def _request(built: Built, accelerator: str, state: Path) -> run.Request:
    address = expectations.ADDRESS
    disks = []
    for number, text in enumerate(built.machine.disks or ()):
        size, bus, serial = parse_disk(text) or (0, "", "")
        path = built.prefix.with_name(f"disk{number}.img")
        disks.append(Disk(path=path, size=size, bus=bus or "virtio", serial=serial))
    return run.Request(
        prefix=built.prefix,
        memory=built.memory,
        cpus=built.cpus,
        disks=tuple(disks),
        tpm=bool(built.machine.tpm),
        secrets=tuple(_secrets(built)),
        networking=built.machine.networking or "user",
        guest=fixed_address(built.spec),
        data=None if built.machine.data is None else built.machine.data.encode(),
        forwards=tuple(
            Forward(host=probe.free_port(address), guest=p, address=address) for p in expectations.ports(built.tests)
        ),
        accelerator=accelerator,
        state=state,
        anew=True,
        # A restart that the tests do not ask for is the end of the boot.
        reboot=False,
    )


def _secrets(built: Built) -> Iterator[tuple[str, Path]]:
    for name, value in (built.machine.secrets or {}).items():
        path = built.prefix.with_name(f"secret-{name}")
        with file.writing(path) as out:
            out.write(value.encode("utf-8", "surrogateescape"))
        yield name, path


def _weighed(built: Built) -> Iterator[Outcome]:
    parts = [built.prefix.with_name(f"{built.prefix.name}{suffix}") for suffix in ("-kernel", "-initrd.img")]
    for test in built.tests:
        if test.size is not None:
            answer = expectations.weigh(test, [p.stat().st_size for p in parts])
            name = f"{expectations.label(test)}{'' if test.name else ', ' + answer.seen.removeprefix('it is ')}"
            seen = "" if answer.holds else answer.seen
            yield Outcome(name=name, passed=answer.holds, seconds=0, seen=seen, span=test.origin.span)
