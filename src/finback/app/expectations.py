"""Whether an expectation of the spec holds now, asked of a machine that runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from finback.app import session
from finback.app.machine import Running
from finback.app.service_state import RUNNING, service_states
from finback.ground.diagnostic import FinbackError
from finback.host import file, probe
from finback.spec.expectation import CommandResult, Expectation, HTTPAnswer, ServiceState, TCPAnswer

ADDRESS = "127.0.0.1"
# A question takes no longer, so that others come to their turn.
SECONDS = 3.0
# A program of a container takes a while to start where machines are emulated.
EXEC_SECONDS = 60.0
OUTPUT_LIMIT = 64 << 10
CONSOLE_LIMIT = 64 << 20
SHOWN = 80


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
    return _label(test)


def _label(test: Expectation) -> str:
    if test.http:
        return f"http {test.http.port} {test.http.path or '/'}"
    if test.tcp:
        return f"tcp {test.tcp.port}"
    if test.service:
        times = f", {test.service.restarts} restarts" if test.service.restarts is not None else ""
        return f"service {test.service.name} {test.service.state or 'ready'}{times}"
    if test.exec:
        return f"exec {test.exec.service or '(machine)'}: {' '.join(test.exec.command)}"
    return f"size at most {test.size.most} MB" if test.size else f"console {test.console!r}"


def ports(tests: tuple[Expectation, ...]) -> tuple[int, ...]:
    """The guest's TCP ports that *tests* ask."""
    return tuple(dict.fromkeys(a.port for t in tests for a in (t.http, t.tcp) if a is not None))


def ask(test: Expectation, machine: Running) -> Answer:
    """Ask once."""
    if test.console is not None:
        return _console(test.console, machine)
    if test.service is not None:
        return _service(test.service, machine)
    if test.http is not None:
        return _http(test.http, _published(machine, test.http.port))
    if test.exec is not None:
        return _exec(test.exec, machine)
    assert test.tcp is not None
    return _tcp(test.tcp, _published(machine, test.tcp.port))


def console(machine: Running) -> str:
    """What the console has shown."""
    try:
        return file.read(machine.console, limit=CONSOLE_LIMIT).decode("utf-8", "replace")
    except FinbackError:
        return ""


def _published(machine: Running, guest: int) -> int:
    return next(f.host for f in machine.forwards if f.guest == guest and f.protocol == "tcp")


def _console(wanted: str, machine: Running) -> Answer:
    lines = console(machine).splitlines()
    if any(wanted in line for line in lines):
        return Answer(holds=True, seen="")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return Answer(holds=False, seen=f"no line has it; the last is {_short(last)}" if last else "the console is empty")


def _service(wanted: ServiceState, machine: Running) -> Answer:
    found = service_states(machine.events()).get(wanted.name)
    if found is None:
        return Answer(holds=False, seen="it was not started")
    state = wanted.state or "up"
    holds = found.state in RUNNING and state in found.been if state in RUNNING else state in found.been
    enough = found.restarts >= (wanted.restarts or 0)
    again = f", {found.restarts} restarts" if wanted.restarts is not None else ""
    ended = f", last ended with status {found.status}" if found.status is not None else ""
    return Answer(holds=holds and enough, seen=f"it is {found.state}{again}{ended}")


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


def _exec(wanted: CommandResult, machine: Running) -> Answer:
    said = bytearray()

    def sink(data: bytes) -> None:
        said.extend(data[: OUTPUT_LIMIT - len(said)])

    request = session.Request(words=wanted.command, service=wanted.service or "", timeout=EXEC_SECONDS)
    try:
        status = session.execute(machine, request, sink, sink)
    except FinbackError as failure:
        return Answer(holds=False, seen=failure.diagnostics[0].message)
    text = said.decode("utf-8", "replace")
    if status != (wanted.status or 0):
        return Answer(holds=False, seen=f"it ends with status {status} and says {_short(text)}")
    return Answer(holds=(wanted.contains or "") in text, seen=f"it says {_short(text)}")


def weigh(test: Expectation, sizes: Iterable[int]) -> Answer:
    """Whether a test of the size holds for artefacts of *sizes*, in bytes."""
    assert test.size is not None
    megabytes = sum(sizes) / 1e6
    return Answer(holds=megabytes <= test.size.most, seen=f"it is {megabytes:.1f} MB")


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")
