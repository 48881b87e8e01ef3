"""What the system inside does when something goes wrong; limits and confinement hold. `systems/` has the tests.

All of it is slow, so each boot asks many things.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SYSTEMS = Path(__file__).parent / "systems"
LIBRARY = Path(__file__).parents[1] / "fixtures" / "library"
CONTAINERD = "  - finback/init\n  - finback/containerd\n"

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


def holds(folder: Path, name: str, changes: dict[str, str] | None = None) -> str:
    """Run the tests of the system *name*, with *changes* of its text; what finback says."""
    text = (SYSTEMS / f"{name}.yml").read_text()
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    (folder / f"{name}.yml").write_text(text)
    shutil.copy(SYSTEMS / "no-mkdir.json", folder)
    done = subprocess.run(
        [sys.executable, "-m", "finback", "test", "--accel", "tcg", f"{name}.yml"],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "s"), "FINBACK_LIBRARY": str(LIBRARY)},
        capture_output=True,
        text=True,
        timeout=2400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_services_that_misbehave(tmp_path: Path) -> None:
    holds(tmp_path, "faults")


def test_the_machine_starts_again_when_its_first_process_dies(tmp_path: Path) -> None:
    holds(tmp_path, "first-process-dies")


def test_a_machine_that_feeds_its_watchdog_no_more_starts_again(tmp_path: Path) -> None:
    holds(tmp_path, "watchdog")


@pytest.mark.parametrize("runtime", ["crun", "runc", "containerd"])
def test_confinement_and_limits(tmp_path: Path, runtime: str) -> None:
    changes = {
        "crun": {},
        "runc": {"  - finback/init\n": "  - finback/init\n  - finback/runc\n", "ttyS0": "ttyS0 finback.runtime=runc"},
        "containerd": {"  - finback/init\n": CONTAINERD, "memory: 384": "memory: 640"},
    }
    said = holds(tmp_path, "confinement", changes[runtime])
    assert "less confined than usual: everything, loose" in said


def test_linuxkits_contract_without_our_own_files(tmp_path: Path) -> None:
    holds(tmp_path, "stock-init")
