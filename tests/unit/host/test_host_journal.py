"""Bounded files of what a machine says, and the process that writes them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from finback.host import journal, recorder
from finback.host.journal import Journal


def event(name: str, kind: str, uptime: float = 1, **more: object) -> bytes:
    return json.dumps({"uptime": uptime, "stage": "service", "name": name, "event": kind, **more}).encode() + b"\n"


def test_positions_stay_when_the_beginning_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    written = Journal(path, 1000, lambda data: data[-100:])
    everything = b""
    for number in range(500):
        line = b"line %d\n" % number
        everything += line
        written.append(line)
        assert path.stat().st_size < 1100
        assert journal.end(path) == len(everything)
        at, data = journal.read(path)
        assert everything[at:] == data
        for since in (at, at + 10, len(everything) - 3, len(everything), len(everything) + 5):
            expected = everything[since:]
            assert journal.read(path, since) == (min(since, len(everything)), expected)
    at, data = journal.read(path, 0, len(everything) - 8)
    assert everything[at:-8] == data
    placed = list(journal.lines(path, len(everything) - 18))
    assert placed == [(len(everything) - 9, b"line 498"), (len(everything), b"line 499")]
    journal.cut(path, len(everything) - 9)
    assert journal.end(path) == len(everything) - 9
    written.append(b"other\n")
    assert journal.read(path, len(everything) - 9)[1] == b"other\n"
    journal.cut(path, 0)
    assert journal.read(path)[1] == b""


def test_a_file_without_bound_is_read_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as out:
        out.truncate(10 << 30)
        out.seek(10 << 30)
        out.write(b"last\n")
    at, data = journal.read(path)
    assert (at + len(data), len(data)) == ((10 << 30) + 5, journal.READ_LIMIT)
    assert data.endswith(b"\0last\n")


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "no", 7) == (7, b"")
    assert journal.end(tmp_path / "no") == 0
    assert not list(journal.lines(tmp_path / "no"))


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    Journal(tmp_path / "no" / "log", 10, bytes).append(b"x")
    Journal(Path("/dev/full"), 10, bytes).append(b"x")


def test_old_events_are_kept_as_what_they_add_up_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "EVENTS_KEPT", 200)
    early = event("db", "started", 1) + event("db", "up", 2) + event("web", "started", 3)
    loop = b"".join(event("web", "started", n) + event("web", "stopped", n, status=1) for n in range(4, 1000))
    tail = event("web", "started", 1000)
    kept = recorder.last_events(early + b"noise\n[1]\n{}\n" + loop + tail)
    values = [json.loads(line) for line in kept.splitlines()]
    assert kept.endswith(tail)
    assert len(kept) < 1000
    assert [(v["name"], v["event"], v["uptime"]) for v in values[:3]] == [
        ("db", "started", 1),
        ("web", "started", 3),
        ("db", "up", 2),
    ]
    assert sum(v.get("times", 1) for v in values if (v["name"], v["event"]) == ("web", "started")) == 998
    # Once more, what was summed up is summed up.
    again = recorder.last_events(kept + loop)
    values = [json.loads(line) for line in again.splitlines()]
    assert sum(v.get("times", 1) for v in values if (v["name"], v["event"]) == ("web", "started")) == 998 + 996


def test_a_flood_of_different_events_is_bounded() -> None:
    flood = b"".join(event(f"n{number}", "up") for number in range(60_000))
    assert len(recorder.last_events(flood)) <= recorder.EVENTS_KEPT + recorder.SUMMARY_LIMIT + 100


def test_a_line_without_end_is_bounded() -> None:
    assert len(recorder.last_events(b"x" * (5 << 20))) <= 2 * recorder.EVENTS_KEPT
    assert len(recorder.last_lines(b"x" * (20 << 20))) <= recorder.CONSOLE_KEPT


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[int]:
    argv = [sys.executable, "-m", "finback.host.recorder", str(tmp_path), "pid", "console", "events"]
    subprocess.run(argv, check=True, timeout=20)
    pid = int((tmp_path / "pid").read_text())
    yield pid
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def ended(pid: int) -> bool:
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_the_process_writes_what_comes_and_ends_with_it(tmp_path: Path, recording: int) -> None:
    with (tmp_path / "console.pipe").open("wb", 0) as console, (tmp_path / "events.pipe").open("wb", 0) as events:
        for number in range(400):
            console.write(b"%07d\n" % number * 8192)
            events.write(b'{"no": "report"}\n' * 1000)
        console.write(b"the end\n")
    assert ended(recording)
    assert not (tmp_path / "pid").exists()
    assert recorder.CONSOLE_KEPT / 2 < (tmp_path / "console").stat().st_size <= recorder.CONSOLE_LIMIT + 100
    assert (tmp_path / "events").stat().st_size <= recorder.EVENTS_LIMIT + 100
    assert (tmp_path / "console").read_bytes().endswith(b"0000399\nthe end\n")
    assert journal.end(tmp_path / "console") == 400 * 8192 * 8 + 8


def test_told_to_end_it_writes_what_has_come(tmp_path: Path, recording: int) -> None:
    with (tmp_path / "console.pipe").open("wb", 0) as console, (tmp_path / "events.pipe").open("wb", 0):
        console.write(b"last words\n")
        os.kill(recording, signal.SIGTERM)
        assert ended(recording)
    assert (tmp_path / "console").read_bytes() == b"last words\n"
