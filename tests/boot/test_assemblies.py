"""Every reference assembly boots, and what its `tests` say holds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finback.app.assembly import get, names

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


# For another architecture, and from the suite whose mirror matches its signature (see test_architectures).
FOREIGN = {"mainframe": ("s390x", {"FINBACK_SUITE": "sid", "FINBACK_CHECK_VALID_UNTIL": "false"})}


@pytest.mark.parametrize("name", names())
def test_what_an_assembly_says_of_itself_holds(name: str, tmp_path: Path) -> None:
    shutil.copytree(get(name).folder, tmp_path / name)
    architecture, settings = FOREIGN.get(name, ("amd64", {}))
    if architecture != "amd64" and not shutil.which(f"qemu-system-{architecture}"):
        pytest.skip(f"no QEMU for {architecture}")
    options = ["--accel", "tcg", "--arch", architecture]
    command = [sys.executable, "-m", "finback", "test", *options, f"{name}/{name}.yml"]
    env = {**os.environ, **settings, "XDG_STATE_HOME": str(tmp_path / "s"), "HOME": str(tmp_path)}
    env["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
