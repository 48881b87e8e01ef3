"""Build from Debian's archive, boot in QEMU, ask the service, stop it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def finback(folder: Path, *arguments: str, status: int = 0, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "finback", *arguments],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "s"), **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def answer(url: str, seconds: float) -> int:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return int(response.status)
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return 0


def test_nginx_is_built_booted_asked_and_stopped(tmp_path: Path) -> None:
    shutil.copy(ROOT / "assemblies/nginx/nginx.yml", tmp_path / "web.yml")
    finback(tmp_path, "build", "web.yml")
    port = free_port()
    finback(tmp_path, "run", "--detach", "--accel", "tcg", "--publish", f"{port}:80", "web")
    try:
        assert answer(f"http://127.0.0.1:{port}/", 90) == 200, (
            tmp_path / "s/finback/machines/web/console.log"
        ).read_text()
        time.sleep(1)
        timeline = finback(tmp_path, "ps", "--timeline", "web")
        for step in ("onboot 000-sysctl", "onboot 001-dhcpcd", "service nginx", "service rngd"):
            assert step in timeline
        assert "failed" not in timeline
    finally:
        said = finback(tmp_path, "stop", "web", "--timeout", "60")
    assert "has stopped" in said
    assert json.loads(finback(tmp_path, "ps", "--json")) == []


def timeline(folder: Path, name: str, step: str, outcome: str, seconds: float) -> str:
    """The machine's timeline, once *step* has come to *outcome* in it."""
    limit = time.monotonic() + seconds
    while True:
        shown = finback(folder, "ps", "--timeline", name)
        if any(line.startswith(step) and line.endswith(outcome) for line in shown.splitlines()):
            return shown
        assert time.monotonic() < limit, f"{shown}\n{(folder / f's/finback/machines/{name}/console.log').read_text()}"
        time.sleep(0.5)


def test_the_talks_file_boots_unchanged(tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests/fixtures/linuxkit/talk.yml", tmp_path)
    said = finback(tmp_path, "build", "--library", "--format", "kernel+initrd", "talk.yml")
    assert "nothing in this file configures a network" in said
    assert "docker.io/library/nginx:alpine is answered by finback/nginx" in said
    finback(tmp_path, "run", "--detach", "--accel", "tcg", "talk")
    try:
        shown = timeline(tmp_path, "talk", "service nginx", "up", 90)
        shown = timeline(tmp_path, "talk", "service rngd", "up", 30)
    finally:
        finback(tmp_path, "stop", "talk", "--timeout", "60")
    assert any(line.startswith("onboot 000-sysctl") and line.endswith("done") for line in shown.splitlines())


def test_the_minimal_system_boots_in_128_megabytes(tmp_path: Path) -> None:
    shutil.copy(ROOT / "assemblies/minimal/minimal.yml", tmp_path)
    finback(tmp_path, "build", "minimal.yml")
    finback(tmp_path, "run", "--detach", "--accel", "tcg", "--mem", "128", "minimal")
    try:
        timeline(tmp_path, "minimal", "service getty", "up", 60)
    finally:
        assert "has stopped" in finback(tmp_path, "stop", "minimal", "--timeout", "60")


def test_two_builds_elsewhere_are_the_same_and_frozen_holds(tmp_path: Path) -> None:
    made = []
    for name, zone in (("a", "UTC"), ("b/c", "Asia/Tokyo")):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "assemblies/minimal/minimal.yml", folder)
        finback(folder, "build", "minimal.yml", TZ=zone)
        made.append({p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("minimal[-.]*")})
    assert made[0] == made[1]
    folder = tmp_path / "a"
    assert sum(p.stat().st_size for p in folder.glob("minimal-*")) < 25e6
    finback(folder, "build", "--frozen", "minimal.yml")
    said = finback(folder, "why", "/usr/bin/crun", "minimal.yml")
    assert "init[0]" in said
    assert "package    crun " in said
    assert "onboot[0]  (minimal.yml:8:5)" in finback(folder, "why", "/dhcpcd.conf", "minimal.yml")
    text = (folder / "minimal.yml").read_text().replace("finback/getty", "finback/sshd")
    (folder / "minimal.yml").write_text(text)
    assert "F602" in finback(folder, "build", "--frozen", "minimal.yml", status=1)
