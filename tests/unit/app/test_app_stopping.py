"""How long a machine has to stop, and what is said meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from finback.app.machine import running as machines
from finback.app.machine import session, stopping
from finback.app.machine.running import Running
from finback.ground.event import Event, Noted
from finback.host import clock

ANSWER = b"db 60000 cache 5000 \nweb 20000 \n"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    monkeypatch.setattr(Running, "alive", True)
    return Running(name="m", uuid="u", started=0, state=tmp_path, sockets=tmp_path)


def answering(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    def execute(_: Running, request: session.Request, output: session.Sink, errors: session.Sink) -> int:
        assert request.words[:2] == ("sh", "-c")
        output(said)
        return 0

    monkeypatch.setattr(session, "execute", execute)


def test_groups_stop_one_after_another(machine: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, ANSWER)
    found = stopping.limits(machine)
    assert found.services == {"db": 60, "cache": 5, "web": 20}
    assert found.total == 62 + 22


@pytest.mark.parametrize(
    "said", [b"", b"nonsense", b"db -1 \n", b"db 99999999999999 \n", b"\xff\x00\n", b"x" * (1 << 20)]
)
def test_a_strange_answer_is_no_answer(machine: Running, monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    answering(monkeypatch, said)
    assert stopping.limits(machine).total == 0


@pytest.mark.parametrize(
    ("said", "timeout", "expected"),
    [(ANSWER, None, 114), (ANSWER, 7.0, 7), (b"", None, 30), (b"db 999999999 \n", None, stopping.MOST)],
)
def test_the_time_that_a_guest_has(
    machine: Running, monkeypatch: pytest.MonkeyPatch, said: bytes, timeout: float | None, expected: float
) -> None:
    answering(monkeypatch, said)
    monkeypatch.setattr(machines, "stop", lambda _m, seconds, _w: f"{seconds:.0f}")
    assert stopping.stop(machine, timeout, lambda _: None) == f"{expected:.0f}"


def test_who_is_waited_for_is_said_when_it_changes(machine: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def report(stage: str, name: str, event: str) -> None:
        line = json.dumps({"uptime": 1, "stage": stage, "name": name, "event": event}) + "\n"
        with (machine.state / "events.jsonl").open("a") as out:
            out.write(line)

    for name in ("db", "web", "job"):
        report("service", name, "up")
    report("service", "job", "done")
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    answering(monkeypatch, ANSWER)
    events: list[Event] = []

    def stop(_: Running, _seconds: float, waiting: machines.Callable[[], None]) -> str:
        waiting()
        assert events == []
        now[0] = 4
        waiting()
        report("shutdown", "shutdown", "started")
        waiting()
        waiting()
        report("service", "web", "stopped")
        now[0] = 10
        waiting()
        report("service", "db", "stopped")
        report("onshutdown", "000-save", "started")
        waiting()
        return "stopped"

    monkeypatch.setattr(machines, "stop", stop)
    assert stopping.stop(machine, None, events.append) == "stopped"
    assert [e.text for e in events if isinstance(e, Noted)] == [
        "waiting for the guest to power off; its process is ended in 110 s",
        "waiting for db (up to 60 s), web (up to 20 s); its process is ended in 110 s",
        "waiting for db (up to 60 s); its process is ended in 104 s",
        "waiting for 000-save; its process is ended in 104 s",
    ]
