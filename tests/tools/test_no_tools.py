"""Every format is written by finback alone: no program is found, and where the tests run as root, none is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from finback.outputs import FORMATS

ROOT = Path(__file__).resolve().parents[2]
# For boards that need firmware which Debian does not have; its own tests bring some.
APART = {"rpi"}
# They have the same file name, LinuxKit's.
SAME_NAME = {"kernel+iso"}

pytestmark = [pytest.mark.archive]


@pytest.mark.parametrize("names", [sorted({*FORMATS.names()} - APART - SAME_NAME), sorted(SAME_NAME)], ids=len)
def test_every_format_is_written_without_a_program(names: list[str], tmp_path: Path) -> None:
    shutil.copy(ROOT / "assemblies/minimal/minimal.yml", tmp_path)
    options = [part for name in names for part in ("--format", name)]
    done = subprocess.run(
        [sys.executable, "-m", "finback", "-q", "build", "--json", *options, "minimal.yml"],
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path / "empty")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in names:
        assert f'"{name}"' in done.stdout
