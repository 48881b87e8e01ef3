"""The library in a real registry: pushed by one user, taken by another who has no Debian mirror."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from finback.app.mirror import mirrors

pytestmark = [
    pytest.mark.tools,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("docker-registry"), reason="no docker-registry"),
]
NAMES = ("init", "tini", "busybox")
SPEC = """\
init:
  - finback/init
services:
  - {name: sleep, image: finback/busybox, command: [sleep, "100000"]}
"""
SECONDS = 20


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """Debian's docker-registry, without TLS."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    (tmp_path / "registry.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\nhttp: {{addr: '{host}'}}\n"
        "log: {level: error}\n"
    )
    with subprocess.Popen(
        ["docker-registry", "serve", str(tmp_path / "registry.yml")], stderr=subprocess.DEVNULL
    ) as server:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                urlopen(f"http://{host}/v2/", timeout=1).close()
                break
            except (URLError, OSError):
                assert time.monotonic() < deadline, "docker-registry does not answer"
                time.sleep(0.1)
        yield host
        server.terminate()


class User:
    """Someone with a cache and settings of their own."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.home.mkdir()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("FINBACK_", "XDG_"))},
            "XDG_CACHE_HOME": str(home / "cache"), "XDG_CONFIG_HOME": str(home / "config"), "XDG_STATE_HOME": str(home),
            **environment,
        }  # fmt: skip

    def run(self, *words: str, status: int = 0) -> str:
        command = [sys.executable, "-m", "finback", "--progress", "quiet", *words]
        done = subprocess.run(
            command, env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == status, done.stderr
        return done.stdout or done.stderr


def test_what_one_publishes_another_builds_with(host: str, tmp_path: Path) -> None:
    mirror = os.environ.get("FINBACK_MIRROR") or mirrors().debian
    if not mirror:
        pytest.skip("no Debian mirror is known")
    insecure = ("--insecure", f"http://{host}")
    maker = User(tmp_path / "maker", FINBACK_MIRROR=mirror)
    taker = User(tmp_path / "taker", FINBACK_MIRROR="http://127.0.0.1:9/no-mirror")
    built = json.loads(maker.run("library", "build", *NAMES, "--arch", "amd64,arm64", "--json"))
    assert len(built) == 2 * len(NAMES)
    again = json.loads(maker.run("library", "build", *NAMES, "--arch", "amd64,arm64", "--json"))
    assert {row["state"] for row in again} == {"there"}
    base = f"{host}/parts/finback:1"
    pushed = json.loads(maker.run(*insecure, "library", "push", base, *NAMES, "--json"))
    assert [row["platforms"] for row in pushed] == [["linux/amd64", "linux/arm64"]] * len(NAMES)
    assert maker.run("library", "status", *NAMES, "--arch", "amd64,arm64").startswith("0 images are outdated")
    for user in (maker, taker):
        (user.home / "x.yml").write_text(SPEC)
    build = ("build", "--format", "tar", "--arch", "arm64", "x.yml")
    maker.run(*build)
    taker.run(*insecure, *build, "--library-from", base)
    assert (taker.home / "x.tar").read_bytes() == (maker.home / "x.tar").read_bytes()
    assert (taker.home / "x.lock").read_text() == (maker.home / "x.lock").read_text()
    # The lock holds with either.
    taker.run(*insecure, *build, "--library-from", base, "--frozen")
    maker.run(*build, "--frozen")
    lost = taker.run(
        *insecure, "build", "--format", "tar", "--arch", "riscv64", "x.yml", "--library-from", base, status=1
    )
    assert "F171" in lost
    assert (
        json.loads(maker.run(*insecure, "library", "status", *NAMES, "--arch", "amd64", "--from", base, "--json")) == []
    )
