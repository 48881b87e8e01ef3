"""What the system inside promises, asked by the `tests` of files in `systems/`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

SYSTEMS = Path(__file__).parent / "systems"

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


def report_of(folder: Path, *names: str, memory: str = "512", seconds: int = 1500) -> tuple[str, dict[str, bool]]:
    """The report of `finback test`, and whether each test holds, as the JUnit file has it."""
    for name in names:
        shutil.copy(SYSTEMS / f"{name}.yml", folder)
    return report(folder, *(f"{n}.yml" for n in names), memory=memory, seconds=seconds)


def report(folder: Path, *files: str, memory: str = "512", seconds: int = 1500) -> tuple[str, dict[str, bool]]:
    """The same of files that are in *folder* already."""
    done = subprocess.run(
        [sys.executable, "-m", "finback", "test", "--accel", "tcg", "--mem", memory, "--junit", "out.xml", *files],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "s")},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cases = ET.parse(folder / "out.xml").getroot().iter("testcase")
    return done.stdout, {c.attrib["name"]: c.find("failure") is None for c in cases}


def test_supervision(tmp_path: Path) -> None:
    said, held = report_of(tmp_path, "supervision")
    assert "8 of 8 hold" in said
    assert len(held) == 8
    assert all(held.values())
    assert not list((tmp_path / "s/finback/machines").glob("*"))


@pytest.mark.slow
def test_supervision_with_containerd(tmp_path: Path) -> None:
    said, _ = report_of(tmp_path, "supervision-containerd")
    assert "3 of 3 hold" in said


@pytest.mark.slow
def test_who_uses_up_memory_is_who_loses(tmp_path: Path) -> None:
    said, held = report_of(tmp_path, "memory", memory="320")
    assert "8 of 8 hold" in said
    assert "a log goes on" in held


@pytest.mark.slow
def test_every_action_between_questions(tmp_path: Path) -> None:
    said, held = report_of(tmp_path, "actions", memory="384")
    assert "20 of 20 hold" in said
    assert "kill keeper" in held
    # The disks are gone with the rest.
    assert not list((tmp_path / "s/finback/tests").glob(".scratch*"))


@pytest.mark.slow
def test_a_failed_step_halts_or_restarts(tmp_path: Path) -> None:
    _, held = report_of(tmp_path, "on-failure-halt", "on-failure-reboot")
    assert len(held) == 4
    for policy in ("halt", "reboot"):
        console = tmp_path / f"s/finback/tests/on-failure-{policy}/console.log"
        assert "too late" not in console.read_text(errors="replace")


@pytest.mark.slow
def test_what_does_not_hold_is_said_before_its_time_is_over(tmp_path: Path) -> None:
    text = (SYSTEMS / "on-failure-halt.yml").read_text() + "  - {console: too late, within: 600}\n"
    (tmp_path / "wrong.yml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "finback", "test", "--accel", "tcg", "--mem", "256", "wrong.yml"],
        cwd=tmp_path,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "s")},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 6, done.stderr
    assert "3 of 4 hold" in done.stdout
    assert "the boot has ended" in done.stdout
    assert "wrong.yml:24:5" in done.stdout
    # The boot doctor's finding, with the step's line.
    assert "wrong.yml:11:11: error[F728]: step 001-bad has failed with status 4" in done.stdout
    assert (tmp_path / "s/finback/tests/wrong/console.log").exists()


@pytest.fixture
def talker(tmp_path: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[bytes]]]:
    """How finback is called beside the machine `sessions`, which runs."""

    def finback(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "finback", *arguments],
            cwd=tmp_path,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "s")},
            input=given,
            capture_output=True,
            timeout=200,
            check=False,
        )

    shutil.copy(SYSTEMS / "sessions.yml", tmp_path)
    assert finback("build", "sessions.yml").returncode == 0
    assert finback("run", "--detach", "--accel", "tcg", "--mem", "256", "sessions").returncode == 0
    limit = time.monotonic() + 200
    while b"victim" not in finback("status", "sessions").stdout or b"started" in finback("status", "sessions").stdout:
        assert time.monotonic() < limit
        time.sleep(0.5)
    yield finback
    assert b"has stopped" in finback("stop", "sessions", "--timeout", "60").stderr


def test_commands_logs_and_states(talker: Callable[..., subprocess.CompletedProcess[bytes]]) -> None:
    data = os.urandom(200_000)
    done = talker("exec", "sessions", "talker", "--", "/bin/sh", "-c", "cat; echo bad >&2; exit 7", given=data)
    assert (done.returncode, done.stderr) == (7, b"bad\n")
    assert done.stdout == data
    done = talker("exec", "sessions", "nobody", "--", "true")
    assert (done.returncode, done.stderr.strip()) == (125, b"there is no service nobody")
    done = talker("shell", "sessions", given=b"cd /etc/finback; cat services; exit 3\n")
    assert (done.returncode, done.stdout) == (3, b"talker victim\n")
    lines = talker("logs", "sessions", "talker").stdout.splitlines()
    assert [text.split(b"  ", 1)[1] for text in lines] == [b"one", b"two"]
    assert talker("logs", "sessions", "000-early").stdout == b"first\n"
    assert talker("logs", "sessions", "nobody").returncode == 1
    states = {s["service"]: s["state"] for s in json.loads(talker("status", "--json", "sessions").stdout)}
    assert states == {"talker": "up", "victim": "up"}


@pytest.mark.slow
def test_a_service_is_killed_twenty_times(talker: Callable[..., subprocess.CompletedProcess[bytes]]) -> None:
    script = b"""
    cd /run/service/victim
    for number in $(seq 20); do
        until [ -s ready ]; do usleep 100000; done
        kill -9 $(cat pid)
        while [ -s ready ]; do usleep 100000; done
    done
    sleep 3
    """
    assert talker("shell", "sessions", given=script).returncode == 0
    (victim,) = [s for s in json.loads(talker("status", "--json", "sessions").stdout) if s["service"] == "victim"]
    assert (victim["state"], victim["restarts"], victim["status"]) == ("failed", 19, 137)
    assert talker("exec", "sessions", "talker", "--", "/bin/sh", "-c", "exit 0").returncode == 0
