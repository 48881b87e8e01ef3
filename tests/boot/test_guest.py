"""What the system inside promises, asked by the `tests` of files in `systems/`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

SYSTEMS = Path(__file__).parent / "systems"

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.xdist_group("boot"),
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


def report_of(folder: Path, *names: str) -> tuple[str, dict[str, bool]]:
    """The report of `finback test`, and whether each test holds, as the JUnit file has it."""
    for name in names:
        shutil.copy(SYSTEMS / f"{name}.yml", folder)
    files = [f"{n}.yml" for n in names]
    done = subprocess.run(
        [sys.executable, "-m", "finback", "test", "--accel", "tcg", "--mem", "256", "--junit", "out.xml", *files],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "s")},
        capture_output=True,
        text=True,
        timeout=300,
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
def test_a_failed_step_halts_or_restarts(tmp_path: Path) -> None:
    _, held = report_of(tmp_path, "on-failure-halt", "on-failure-reboot")
    assert len(held) == 4
    for policy in ("halt", "reboot"):
        console = tmp_path / f"s/finback/tests/on-failure-{policy}/console.log"
        assert "too late" not in console.read_text(errors="replace")


@pytest.mark.slow
def test_what_does_not_hold_is_said_before_its_time_is_over(tmp_path: Path) -> None:
    text = (SYSTEMS / "on-failure-halt.yml").read_text() + "  - {console: too late, within: 200}\n"
    (tmp_path / "wrong.yml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "finback", "test", "--accel", "tcg", "--mem", "256", "wrong.yml"],
        cwd=tmp_path,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "s")},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 6, done.stderr
    assert "3 of 4 hold" in done.stdout
    assert "the boot has ended" in done.stdout
    assert "wrong.yml:27:5" in done.stdout
    assert (tmp_path / "s/finback/tests/wrong/console.log").exists()
