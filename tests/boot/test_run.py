"""`finback run` as people use it: a fixed address, patient services, and a guest that writes too much."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from finback.host import recorder

SPEC = """\
kernel: {image: finback/kernel, cmdline: console=ttyS0}
init: [finback/init, finback/network]
network:
  interfaces:
    - name: eth0
      match: {first: true}
      addresses: [192.168.7.20/24]
      routes: [{to: default, via: 192.168.7.1}]
services:
  - name: web
    image: finback/busybox
    net: host
    readonly: false
    capabilities: [CAP_NET_BIND_SERVICE]
    command: [sh, -c, "mkdir /w; echo static >/w/index.html; exec httpd -f -p 80 -h /w"]
  - name: slow
    image: finback/busybox
    command: [sh, -c, "trap 'sleep 40; exit 0' TERM; while :; do sleep 1; done"]
    stop: {timeout: 60}
"""
FAILING = """\
kernel: {image: finback/kernel, cmdline: console=ttyS0}
init: [finback/init]
onboot:
  - {name: talk, image: finback/busybox, command: [sh, -c, "echo first; sleep 6; echo second; printf third"]}
  - {name: bad, image: finback/busybox, command: [sh, -c, "exit 3"], onFailure: reboot}
"""
# In the machine: more events than are kept, and then nothing but these of one service.
FLOOD = """
line='{"uptime": 1, "stage": "service", "name": "noise", "event": "started", "status": 0}'
yes "$line" | head -n 140000 1<>/run/finback/events >/run/finback/events
"""

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]
Finback = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def finback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Finback:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "finback", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=400)

    return call


def test_a_fixed_address_a_flood_and_a_patient_stop(finback: Finback, tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text(SPEC)
    built = finback("build", "web.yml")
    assert built.returncode == 0, built.stderr
    started = finback("run", "-d", "--accel", "tcg", "--mem", "256", "--publish", "18743:80", "web")
    assert started.returncode == 0, started.stderr
    try:
        limit = time.monotonic() + 150
        while True:
            try:
                with urllib.request.urlopen("http://127.0.0.1:18743/", timeout=5) as answer:
                    assert answer.read() == b"static\n"
                break
            except OSError:
                assert time.monotonic() < limit, (tmp_path / "s/finback/machines/web/console.log").read_text()[-3000:]
                time.sleep(1)
        shell = [sys.executable, "-m", "finback", "shell", "web"]
        subprocess.run(shell, input=FLOOD.encode(), check=True, timeout=200, env=os.environ, capture_output=True)
        assert (tmp_path / "s/finback/machines/web/events.jsonl").stat().st_size <= recorder.EVENTS_LIMIT + 100
        states = {s["service"]: s for s in json.loads(finback("status", "--json", "web").stdout)}
        assert states["web"]["state"] in ("up", "ready")
        assert states["noise"]["restarts"] > 100_000
    finally:
        stopped = finback("stop", "web")
    assert "web has stopped" in stopped.stderr, stopped.stderr
    assert "waiting for slow (up to 60 s)" in stopped.stderr


def test_a_step_is_heard_while_it_runs_and_a_failed_boot_is_no_success(finback: Finback, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(FAILING)
    built = finback("build", "bad.yml")
    assert built.returncode == 0, built.stderr
    argv = [sys.executable, "-m", "finback", "run", "--accel", "tcg", "--mem", "256", "--no-reboot", "bad"]
    seen: dict[str, float] = {}
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        assert child.stdout is not None
        for line in child.stdout:
            for word in (b"talk: first", b"talk: second", b"talk: third"):
                if word in line:
                    seen[word.decode()] = time.monotonic()
    assert child.returncode == 6
    assert list(seen) == ["talk: first", "talk: second", "talk: third"]
    assert seen["talk: second"] - seen["talk: first"] > 3
