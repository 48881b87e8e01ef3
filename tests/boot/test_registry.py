"""A built system goes to a registry, and is fetched and run by somebody else."""

from __future__ import annotations

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

from finback.testing.registry import FakeRegistry

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


def answers(url: str, seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def test_what_was_pushed_is_pulled_and_runs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    def finback(folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "finback", *arguments]
        done = subprocess.run(
            command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr

    with FakeRegistry() as registry:
        insecure = ("--insecure", registry.url)
        shutil.copy(ROOT / "assemblies/nginx/nginx.yml", here / "web.yml")
        finback(here, "build", "--arch", "amd64", "web.yml")
        finback(here, *insecure, "push", "registry", f"{registry.host}/web:1", "web")
        finback(there, "--cache", str(tmp_path / "other"), *insecure, "pull", f"{registry.host}/web:1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    finback(there, "run", "--detach", "--accel", "tcg", "--publish", f"{port}:80", "web")
    try:
        assert answers(f"http://127.0.0.1:{port}/", 90)
    finally:
        finback(there, "stop", "web", "--timeout", "60")
