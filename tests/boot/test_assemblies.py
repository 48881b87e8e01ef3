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
    pytest.mark.xdist_group("boot"),
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


@pytest.mark.parametrize("name", names())
def test_what_an_assembly_says_of_itself_holds(name: str, tmp_path: Path) -> None:
    shutil.copytree(get(name).folder, tmp_path / name)
    command = [sys.executable, "-m", "finback", "test", "--accel", "tcg", f"{name}/{name}.yml"]
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "s"), "HOME": str(tmp_path)}
    env["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
