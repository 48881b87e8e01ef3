from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from finback.app.machine import running as machines
from finback.app.machine import session
from finback.app.machine.running import Running
from finback.app.machine.service_state import service_states
from finback.app.machine.session import Request, Sink
from finback.app.machine.timeline import Report
from finback.app.trial import expectations, junit, observation
from finback.app.trial import system as trial
from finback.app.trial.expectations import LOOK, View, ask, label, ports
from finback.app.trial.observation import Outcome, observe
from finback.app.trial.system import Trial
from finback.backends import Forward
from finback.ground.source import Source
from finback.host import clock
from finback.spec.decode import load
from finback.spec.expectation import (
    Action,
    CommandResult,
    Expectation,
    FileState,
    HTTPAnswer,
    ServiceState,
    SizeBudget,
    TCPAnswer,
)
from finback.spec.model import Spec

UUID = "00000000-0000-4000-8000-00000000abcd"


def report(name: str, event: str, status: int = 0, stage: str = "service", at: float = 1) -> Report:
    return Report(uptime=at, stage=stage, name=name, event=event, status=status)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Running]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", UUID])
    (tmp_path / "pid").write_text(str(process.pid))
    yield Running(name="m", uuid=UUID, started=clock.now(), state=tmp_path, sockets=tmp_path)
    process.kill()
    process.wait()


def never() -> None:
    """Stands for a new start that is not wanted."""
    raise AssertionError


def tell(machine: Running, *reports: Report) -> None:
    lines = [
        json.dumps({"uptime": r.uptime, "stage": r.stage, "name": r.name, "event": r.event, "status": r.status})
        for r in reports
    ]
    (machine.state / "events.jsonl").write_text("\n".join([*lines, ""]))


def test_services_stand_as_the_last_boot_left_them() -> None:
    first = [report("init", "started", stage="init"), report("old", "up")]
    states = service_states(
        [
            *first,
            report("init", "started", stage="init"),
            report("w", "started"),
            report("w", "up"),
            report("w", "stopped", 3),
            report("w", "started", at=9),
        ]
    )
    assert list(states) == ["w"]
    assert (states["w"].state, states["w"].restarts, states["w"].status, states["w"].since) == ("started", 1, 3, 9)
    assert states["w"].been == {"started", "up", "stopped"}


@pytest.mark.parametrize(
    ("state", "restarts", "events", "holds"),
    [
        ("up", None, ["started", "up"], True),
        ("up", None, ["started", "up", "ready"], True),
        ("ready", None, ["started", "up"], False),
        ("ready", None, ["started", "up", "ready", "stopped"], False),
        ("stopped", None, ["started", "up", "ready", "stopped", "started"], True),
        ("failed", None, ["started", "stopped", "failed"], True),
        ("up", 1, ["started", "up"], False),
        ("up", 1, ["started", "up", "stopped", "started", "up"], True),
    ],
)
def test_the_state_of_a_service(
    machine: Running, state: str, restarts: int | None, events: list[str], holds: bool
) -> None:
    tell(machine, *(report("w", e) for e in events))
    asked = Expectation(service=ServiceState(name="w", state=state, restarts=restarts))  # type: ignore[arg-type]
    assert ask(asked, View(machine=machine)).holds is holds


def test_a_line_of_the_console(machine: Running) -> None:
    asked = Expectation(console="a b")
    assert ask(asked, View(machine=machine)).seen == "the console is empty"
    (machine.state / "console.log").write_bytes(b"\xff a\nb\n")
    assert ask(asked, View(machine=machine)).seen == "no line has it; the last is 'b'"
    (machine.state / "console.log").write_bytes(b"\xff xa by\n")
    assert ask(asked, View(machine=machine)).holds


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/a?b" else 404)
        self.end_headers()
        self.wfile.write(b"hello world")

    def log_message(self, *_: object) -> None:
        pass


def test_answers_over_http(machine: Running) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    forwarded = Running(
        name="m", uuid=UUID, started=0, state=machine.state, sockets=machine.sockets,
        forwards=(Forward(host=server.server_port, guest=80),),
    )  # fmt: skip
    view = View(machine=forwarded)
    try:
        assert ask(Expectation(http=HTTPAnswer(port=80, path="/a?b", contains="lo w")), view).holds
        assert "lacks" in ask(Expectation(http=HTTPAnswer(port=80, path="/a?b", contains="bye")), view).seen
        assert ask(Expectation(http=HTTPAnswer(port=80, path="/x", status=404)), view).holds
        assert ask(Expectation(http=HTTPAnswer(port=80)), view).seen == "it answers with status 404"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert ask(Expectation(http=HTTPAnswer(port=80)), view).seen.startswith("no answer: ")


def test_answers_over_tcp(machine: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(3):
                connection, _ = server.accept()
                with connection:
                    if connection.recv(100) == b"PING":
                        connection.sendall(b"PO")
                        connection.sendall(b"NG")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        forwarded = Running(
            name="m", uuid=UUID, started=0, state=machine.state, sockets=machine.sockets,
            forwards=(Forward(host=server.getsockname()[1], guest=7),),
        )  # fmt: skip
        view = View(machine=forwarded)
        assert ask(Expectation(tcp=TCPAnswer(port=7, send="PING", contains="PONG")), view).holds
        assert ask(Expectation(tcp=TCPAnswer(port=7, send="PING", contains="x")), view).seen == "it says 'PONG'"
        # QEMU itself takes a connection that nobody in the guest does, and closes it.
        assert ask(Expectation(tcp=TCPAnswer(port=7, send="x")), view).seen == "it says nothing"
        thread.join()


def test_what_holds_is_asked_no_more_and_what_does_not_until_its_time_is_over(machine: Running) -> None:
    tell(machine, report("w", "up"))
    tests = (
        Expectation(service=ServiceState(name="w", state="up")),
        Expectation(name="never", console="x", within=1),
    )
    first, second = observe(tests, machine, never, lambda: False)
    assert first.passed
    assert first.seconds < 1
    assert (second.name, second.passed) == ("never", False)
    assert 1 <= second.seconds < 10


def test_what_lags_behind_is_given_up_when_it_is_asked_again_anyway(
    machine: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observation, "LEAST_LAG", 0.5)
    tell(machine, report("w", "up"))
    up = Expectation(service=ServiceState(name="w", state="up"))
    first, late = observe((up, Expectation(console="x", within=1000)), machine, never, lambda: False, hurried=True)
    assert (first.passed, late.passed) == (True, False)
    assert late.seconds < 30
    # Most of it has to hold before: a machine that is slow has its time.
    rest = (Expectation(console="x", within=2), Expectation(console="y", within=2))
    assert max(o.seconds for o in observe((up, *rest), machine, never, lambda: False, hurried=True)) >= 2


def test_the_end_of_the_boot_is_the_end_of_the_tests(machine: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "GRACE", 0.1)
    tell(machine, report("boot", "halt", stage="init"))
    (outcome,) = observe((Expectation(console="x", within=1000),), machine, never, lambda: False)
    assert outcome.seen.startswith("the boot has ended")
    tell(machine)
    (outcome,) = observe((Expectation(console="x", within=1000),), machine, never, lambda: True)
    assert not outcome.passed


def test_the_default_state_is_ready_where_that_is_asked() -> None:
    text = "services: [{name: a, image: i, ready: {tcp: 1}}, {name: b, image: i}]\n"
    spec = load(Spec, Source("t", text + "tests: [{service: {name: a}}, {service: {name: b}}, {console: x}]"))
    assert [t.service.state for t in trial.completed(spec) if t.service] == ["ready", "up"]
    assert [label(t) for t in trial.completed(spec)] == ["service a ready", "service b up", "console 'x'"]


def test_each_port_is_published_once() -> None:
    tests = (Expectation(http=HTTPAnswer(port=80)), Expectation(tcp=TCPAnswer(port=80)), Expectation(console="x"))
    assert ports(tests) == (80,)


def test_machines_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial.host, "processors", lambda: 4)
    for memory, cpus, room in ((None, 1, 3), (None, 2, 2), (3 << 30, 1, 2), (1, 1, 1)):
        monkeypatch.setattr(trial.host, "available_memory", lambda memory=memory: memory)
        assert trial.jobs(3, 1024, cpus) == room
    assert trial._jobs(trial.Options(jobs=9), ()) == 9


def test_the_size_of_what_was_built() -> None:
    asked = Expectation(size=SizeBudget(most=2))
    assert expectations.weigh(asked, [1_500_000, 500_000]).holds
    assert expectations.weigh(asked, [1_500_000, 600_000]).seen == "it is 2.1 MB"
    assert label(asked) == "size at most 2 MB"


def test_what_comes_of_a_command(machine: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[session.Request] = []

    def execute(_: Running, request: session.Request, output: session.Sink, errors: session.Sink) -> int:
        said.append(request)
        output(b"one ")
        errors(b"two" + b"x" * (1 << 20))
        return 3

    monkeypatch.setattr(session, "execute", execute)
    asked = CommandResult(service="w", command=("a", "b"), status=3, contains="one two")
    assert ask(Expectation(exec=asked), View(machine=machine)).holds
    assert (said[0].words, said[0].service) == (("a", "b"), "w")
    assert not ask(Expectation(exec=replace(asked, contains="three")), View(machine=machine)).holds
    assert "status 3" in ask(Expectation(exec=replace(asked, status=None)), View(machine=machine)).seen
    assert label(Expectation(exec=asked)) == "exec w: a b"
    monkeypatch.undo()
    # Nothing listens in this machine.
    assert "listens" in ask(Expectation(exec=asked), View(machine=machine)).seen


def test_the_junit_report_is_xml_whatever_was_said() -> None:
    bad = Outcome(name="a\x00<b>", passed=False, seconds=1, seen="\x1b[0m&")
    unasked = Outcome(name="c", passed=False, asked=False, seconds=1)
    made = junit.encode(
        [
            Trial(name="x", source="x.yml", outcomes=(bad, unasked), seconds=2, tail="\ud800\x07]]>"),
            Trial(name="y", source="y.yml", outcomes=(), seconds=0, trouble="no QEMU"),
        ]
    )
    root = ET.fromstring(made)
    assert [(s.attrib["failures"], s.attrib["errors"]) for s in root] == [("1", "0"), ("0", "1")]
    assert root[0].find("testcase/failure") is not None
    assert (root[0].attrib["skipped"], len(root[0].findall("testcase/skipped"))) == ("1", 1)
    assert "]]>" in (root[0].findtext("system-out") or "")


def test_states_before_an_action_count_no_more() -> None:
    reports = [report("w", e) for e in ("started", "up", "ready", "stopped", "started", "up")]
    assert service_states(reports, 4)["w"].been == {"stopped", "started", "up"}
    assert service_states(reports, 4)["w"].restarts == 1
    # What happens to be there is the present state, and nothing before it.
    assert service_states(reports, 6)["w"].been == {"up"}
    assert service_states([*reports, report("v", "up")], 6)["w"].been == {"up"}


@pytest.mark.parametrize(("events", "state"), [(["up"], "up"), (["up", "ready"], "ready")])
def test_what_is_well_again_is_what_it_was(events: list[str], state: str) -> None:
    reports = [report("w", e) for e in ("started", *events, "ill", "well")]
    assert service_states(reports)["w"].state == state
    # Also when nothing before counts.
    since = service_states(reports, len(reports) - 1)["w"]
    assert (since.state, since.been) == (state, {"ill", state})


def test_the_console_is_read_from_the_last_boot_on(machine: Running) -> None:
    (machine.state / "console.log").write_bytes("ü old\nnew\n".encode())
    asked = Expectation(console="old")
    assert ask(asked, View(machine=machine)).holds
    assert not ask(asked, View(machine=machine, shown=7)).holds


class Guest:
    """What commands in a guest come to: status, output, errors for each; and what they were."""

    def __init__(self, *ends: tuple[int, bytes, bytes]) -> None:
        self.ends, self.asked = list(ends), list[Request]()

    def execute(self, _: Running, request: Request, output: Sink, errors: Sink) -> int:
        self.asked.append(request)
        status, out, err = self.ends.pop(0)
        output(out)
        errors(err)
        return status


@pytest.mark.parametrize("kind", ["socket", "pipe", "link", "folder"])
def test_a_file_of_any_kind_is_there(
    machine: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / kind
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "socket":
            monkeypatch.chdir(tmp_path)
            listener.bind(kind)
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "link":
            path.symlink_to("nowhere")
        else:
            path.mkdir()
        script = LOOK.removeprefix(session.ENTER)

        def execute(_: Running, request: Request, output: Sink, errors: Sink) -> int:
            words = ["sh", "-c", f"path=$2\nset --\n{script}", *request.words[3:]]
            done = subprocess.run(words, check=False, capture_output=True, timeout=9)
            output(done.stdout)
            errors(done.stderr)
            return done.returncode

        monkeypatch.setattr(session, "execute", execute)
        assert ask(Expectation(file=FileState(path=str(path))), View(machine=machine)).holds


def test_what_a_file_has(machine: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = (44, b"", b"")
    guest = Guest((0, b"abc", b""), (0, b"abc", b""), absent, absent, (0, b"", b""), (1, b"", b"no service\n"))
    monkeypatch.setattr(session, "execute", guest.execute)
    answers = [
        ask(Expectation(file=FileState(path="/x", **more)), View(machine=machine))  # type: ignore[arg-type]
        for more in ({"contains": "b"}, {"contains": "d"}, {}, {"exists": False}, {"exists": False}, {"service": "w"})
    ]
    assert [a.holds for a in answers] == [True, False, False, True, False, False]
    assert answers[2].seen == "it is not there"
    assert answers[4].seen == "it is there"
    assert answers[5].seen == "it can't be looked at: 'no service'"


def test_a_killed_service_is_asked_about_only_when_its_end_was_reported(
    machine: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [report("w", e) for e in ("started", "up", "ready")]
    tell(machine, *first)

    def execute(*_: object) -> int:
        tell(machine, *first, report("w", "stopped", 137))
        threading.Timer(0.5, tell, (machine, *first, *(report("w", e) for e in ("stopped", "started", "up")))).start()
        threading.Timer(1, tell, (machine, *first, *(report("w", e) for e in ("stopped", "started", "ready")))).start()
        return 0

    monkeypatch.setattr(session, "execute", execute)
    tests = (
        Expectation(service=ServiceState(name="w", state="ready")),
        Expectation(do=Action(kill="w")),
        Expectation(service=ServiceState(name="w", state="ready", restarts=1)),
    )
    outcomes = observe(tests, machine, never, lambda: False)
    assert [(o.name, o.passed) for o in outcomes] == [
        ("service w ready", True),
        ("kill w", True),
        ("service w ready, 1 restarts", True),
    ]
    assert outcomes[2].seconds >= 1


def test_after_what_does_not_hold_nothing_is_done(machine: Running) -> None:
    tests = (
        Expectation(console="x", within=1),
        Expectation(do=Action(power_cut=True)),
        Expectation(console="y"),
    )
    outcomes = observe(tests, machine, never, lambda: False)
    assert [o.seen for o in outcomes[1:]] == ["not asked, for a test above does not hold"] * 2
    assert machine.alive


def test_power_cut_is_the_end_of_the_process_and_a_new_start(machine: Running) -> None:
    (machine.state / "console.log").write_text("before\n")
    tell(machine, report("w", "ready"))
    again = []

    def restart() -> None:
        assert not machine.alive
        again.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", UUID]))
        (machine.state / "pid").write_text(str(again[0].pid))

    tests = (
        Expectation(console="before"),
        Expectation(do=Action(power_cut=True)),
        Expectation(console="before", within=1),
        Expectation(service=ServiceState(name="w", state="ready"), within=1),
    )
    outcomes = observe(tests, machine, restart, lambda: False)
    again[0].kill()
    again[0].wait()
    assert [o.passed for o in outcomes] == [True, True, False, False]
    assert outcomes[3].seen == "it was not started"


@pytest.mark.parametrize("ends", ["shutdown", "service"])
def test_a_restart_must_be_in_order(machine: Running, monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    said = []

    def listens(_: Running) -> bool:
        return True

    def send(_: Path, word: str) -> socket.socket:
        said.append(word)
        tell(machine, report("x", "done", stage=ends))
        os.kill(machine.pid, signal.SIGKILL)
        return socket.socket()

    monkeypatch.setattr(machines, "listens", listens)
    monkeypatch.setattr(machines.port, "send_line", send)
    starts = []
    (outcome,) = observe((Expectation(do=Action(reboot=True)),), machine, lambda: starts.append(1), lambda: False)
    assert said == ["reboot"]
    assert (outcome.passed, len(starts)) == (ends == "shutdown", int(ends == "shutdown"))
