"""Whether an expectation of the spec holds now, asked of a machine that runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from finback.app.machine import session
from finback.app.machine.running import Running
from finback.app.machine.service_state import RUNNING, ServiceStatus, service_states
from finback.app.machine.timeline import Report
from finback.ground.diagnostic import FinbackError
from finback.host import journal, probe
from finback.spec.expectation import CommandResult, Expectation, FileState, HTTPAnswer, ServiceState, TCPAnswer

ADDRESS = "127.0.0.1"
# A question takes no longer, so that others come to their turn.
SECONDS = 3.0
OUTPUT_LIMIT = 64 << 10
SHOWN = 80
FILE_LIMIT = 1 << 20
# What busybox and runtimes never end with.
ABSENT = 44
LOOK = f"""{session.ENTER}
exec "$@" sh -c '[ -e "$0" ] || [ -L "$0" ] || exit {ABSENT}; [ ! -f "$0" ] || exec head -c {FILE_LIMIT} "$0"' "$path"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A machine that runs, from the moment on that questions are about."""

    machine: Running
    shown: int = 0
    """Where in the console this time begins."""
    told: int = 0
    """Where in the reports this boot begins."""
    done: int = 0
    """Where in the reports the last action was done. States before count no more."""

    def console(self) -> str:
        """What the console has shown."""
        return console(self.machine, self.shown)

    def reports(self) -> tuple[Report, ...]:
        """What the guest has reported since its boot."""
        return self.machine.events(self.told)

    def services(self) -> dict[str, ServiceStatus]:
        """How the services stand."""
        return service_states(self.reports(), len(self.machine.events(self.told, self.done)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of asking once."""

    holds: bool
    seen: str
    """What there was instead."""


def label(test: Expectation) -> str:
    """What a test is called."""
    if test.name:
        return test.name
    if test.exec:
        return f"exec {shown(test.exec)}"
    if test.file:
        return f"file {f'{test.file.service}:' if test.file.service else ''}{test.file.path}"
    return _label(test)


def shown(command: CommandResult) -> str:
    """A command as one line."""
    words = shlex.join(command.command)
    return f"{command.service or '(machine)'}: {words if len(words) <= SHOWN else words[:SHOWN] + '…'}"


def _label(test: Expectation) -> str:
    if test.http:
        return f"http {test.http.port} {test.http.path or '/'}"
    if test.tcp:
        return f"tcp {test.tcp.port}"
    if test.service:
        times = f", {test.service.restarts} restarts" if test.service.restarts is not None else ""
        return f"service {test.service.name} {test.service.state or 'ready'}{times}"
    return f"size at most {test.size.most} MB" if test.size else f"console {test.console!r}"


def ports(tests: tuple[Expectation, ...]) -> tuple[int, ...]:
    """The guest's TCP ports that *tests* ask."""
    return tuple(dict.fromkeys(a.port for t in tests for a in (t.http, t.tcp) if a is not None))


def ask(test: Expectation, view: View, left: float = SECONDS) -> Answer:
    """Ask once. A command may take the seconds that are *left*."""
    if test.console is not None:
        return _console(test.console, view)
    if test.service is not None:
        return _service(test.service, view)
    if test.exec is not None:
        return run(test.exec, view.machine, left)
    if test.file is not None:
        return _file(test.file, view.machine, left)
    if test.http is not None:
        return _http(test.http, _published(view.machine, test.http.port))
    assert test.tcp is not None
    return _tcp(test.tcp, _published(view.machine, test.tcp.port))


def is_slow(test: Expectation) -> bool:
    """Whether the answer is found out by a program in the guest."""
    return test.exec is not None or test.file is not None


def console(machine: Running, start: int = 0) -> str:
    """What the console has shown, from the position *start* on."""
    return journal.read(machine.console, start)[1].decode("utf-8", "replace")


def _published(machine: Running, guest: int) -> int:
    return next(f.host for f in machine.forwards if f.guest == guest and f.protocol == "tcp")


def _console(wanted: str, view: View) -> Answer:
    lines = view.console().splitlines()
    if any(wanted in line for line in lines):
        return Answer(holds=True, seen="")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return Answer(holds=False, seen=f"no line has it; the last is {_short(last)}" if last else "the console is empty")


def _service(wanted: ServiceState, view: View) -> Answer:
    found = view.services().get(wanted.name)
    if found is None:
        return Answer(holds=False, seen="it was not started")
    state = wanted.state or "up"
    holds = found.state in RUNNING and state in found.been if state in RUNNING else state in found.been
    enough = found.restarts >= (wanted.restarts or 0)
    again = f", {found.restarts} restarts" if wanted.restarts is not None else ""
    ended = f", last ended with status {found.status}" if found.status is not None else ""
    return Answer(holds=holds and enough, seen=f"it is {found.state}{again}{ended}")


def _file(wanted: FileState, machine: Running, seconds: float) -> Answer:
    words = ("sh", "-c", LOOK, "look", wanted.service or "", wanted.path)
    ended = _ended(session.Request(words=words, timeout=max(SECONDS, seconds)), machine, FILE_LIMIT)
    if isinstance(ended, str):
        return Answer(holds=False, seen=ended)
    status, output = ended
    if status not in (0, ABSENT):
        return Answer(holds=False, seen=f"it can't be looked at: {_short(output.decode('utf-8', 'replace').strip())}")
    if wanted.exists is False or status == ABSENT:
        there = "there" if status == 0 else "not there"
        return Answer(holds=(status == ABSENT) == (wanted.exists is False), seen=f"it is {there}")
    text = (wanted.contains or "").encode()
    return Answer(holds=text in output, seen=f"it lacks the text: {_short(output.decode('utf-8', 'replace'))}")


def _http(wanted: HTTPAnswer, port: int) -> Answer:
    found = probe.http(ADDRESS, port, wanted.path or "/", SECONDS)
    if isinstance(found, str):
        return Answer(holds=False, seen=f"no answer: {found}")
    status, body = found
    if status != (wanted.status or 200):
        return Answer(holds=False, seen=f"it answers with status {status}")
    text = (wanted.contains or "").encode()
    return Answer(holds=text in body, seen=f"the answer lacks the text: {_short(body.decode('utf-8', 'replace'))}")


def _tcp(wanted: TCPAnswer, port: int) -> Answer:
    text = (wanted.contains or "").encode()
    holds, said = probe.tcp(ADDRESS, port, (wanted.send or "").encode(), text, SECONDS)
    seen = f"it says {_short(said.decode('utf-8', 'replace'))}" if said else "it says nothing"
    return Answer(holds=holds, seen=seen)


def run(wanted: CommandResult, machine: Running, seconds: float) -> Answer:
    """Run a command, and see whether it ends as *wanted*."""
    words, service = wanted.command, wanted.service or ""
    ended = _ended(session.Request(words=words, service=service, timeout=max(SECONDS, seconds)), machine)
    if isinstance(ended, str):
        return Answer(holds=False, seen=ended)
    status, said = ended
    text = said.decode("utf-8", "replace")
    if status != (wanted.status or 0):
        return Answer(holds=False, seen=f"it ends with status {status} and says {_short(text)}")
    return Answer(holds=(wanted.contains or "") in text, seen=f"it says {_short(text)}")


def _ended(request: session.Request, machine: Running, limit: int = OUTPUT_LIMIT) -> tuple[int, bytes] | str:
    """Exit status and what a command wrote, or why there is nothing of it."""
    said = bytearray()

    def sink(data: bytes) -> None:
        said.extend(data[: limit - len(said)])

    try:
        status = session.execute(machine, request, sink, sink)
    except FinbackError as failure:
        return failure.diagnostics[0].message
    return status, bytes(said)


def weigh(test: Expectation, sizes: Iterable[int]) -> Answer:
    """Whether a test of the size holds for artefacts of *sizes*, in bytes."""
    assert test.size is not None
    megabytes = sum(sizes) / 1e6
    return Answer(holds=megabytes <= test.size.most, seen=f"it is {megabytes:.1f} MB")


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")
