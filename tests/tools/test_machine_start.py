"""Machines that have no system to boot: how QEMU starts, fails to, and what it gives up."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finback.app.machine import running as machines

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]
Finback = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def finback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Finback]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "r"))
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "blank.img").open("wb") as out:
        out.truncate(1 << 20)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "finback", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=100)

    yield call
    for machine in list(machines.listing()):
        machines.stop(machine, 0)


def run(finback: Finback, state: str, *words: str) -> subprocess.CompletedProcess[str]:
    return finback("run", "-d", "--accel", "tcg", "--mem", "32", "--state", state, *words, "blank.img")


def test_a_machine_that_ends_at_once_is_no_success(finback: Finback, tmp_path: Path) -> None:
    first = run(finback, "one", "--disk", "data.img,size=1M")
    assert first.returncode == 0, first.stderr
    assert "finback stop --state one" in first.stderr
    second = run(finback, "two", "--disk", "data.img")
    assert second.returncode == 5
    assert "error[F526]: QEMU ended at once" in second.stderr
    assert "lock" in second.stderr
    assert not (tmp_path / "two/machine.json").exists()
    assert not (tmp_path / "two/recorder.pid").exists()
    stopped = finback("stop", "--state", "one", "--timeout", "0")
    assert "its process was ended" in stopped.stderr
    again = run(finback, "two", "--disk", "data.img")
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("networking", ["user", "isolated", "none"])
def test_qemu_runs_in_its_sandbox(finback: Finback, tmp_path: Path, networking: str) -> None:
    done = run(finback, "one", "--networking", networking)
    assert done.returncode == 0, done.stderr
    status = Path(f"/proc/{(tmp_path / 'one/pid').read_text().strip()}/status").read_text()
    assert "\nSeccomp:\t2\n" in status
    assert "\nNoNewPrivs:\t1\n" in status


def test_that_the_loopback_is_reached_is_said_once_for_each_machine(finback: Finback) -> None:
    said = "the guest can reach what listens on this machine's loopback, as 10.0.2.2"
    first = run(finback, "one")
    assert first.stderr.count(said) == 1
    finback("stop", "--state", "one", "--timeout", "0")
    assert said not in run(finback, "one").stderr
    assert said not in run(finback, "two", "--host-loopback").stderr
    assert said not in run(finback, "three", "--networking", "isolated").stderr
    assert said in run(finback, "four").stderr


def test_a_port_on_an_ipv6_address(finback: Finback, tmp_path: Path) -> None:
    """The blank machine answers nothing: that the relay listens, and ends with the machine, is what can be seen."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        refused = run(finback, "one", "--publish", f"[::1]:{port}:80")
        assert "error[F523]" in refused.stderr
    done = run(finback, "one", "--publish", f"[::1]:{port}:80")
    assert done.returncode == 0, done.stderr
    assert f"[::1]:{port}->80/tcp" in finback("ps").stdout
    with socket.create_connection(("::1", port), timeout=10):
        pass
    finback("stop", "--state", "one", "--timeout", "0")
    limit = time.monotonic() + 10
    while time.monotonic() < limit:
        try:
            socket.create_connection(("::1", port), timeout=1).close()
        except OSError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the relay still listens")
    assert "error[F529]" in run(finback, "one", "--publish", f"[::1]:{port}:80/udp").stderr
