"""The minimal system of each architecture boots to its readiness: emulated, so only where QEMU for it is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finback.app.machine import firmware
from finback.ground.diagnostic import FinbackError

ROOT = Path(__file__).resolve().parents[2]
# Architecture, QEMU's word for it, console. A suite of its own where the mirror's trixie does not match its signature.
MACHINES = {
    "arm64": ("aarch64", "ttyAMA0", {}),
    "riscv64": ("riscv64", "ttyS0", {"FINBACK_SUITE": "sid", "FINBACK_CHECK_VALID_UNTIL": "false"}),
    "s390x": ("s390x", "ttysclp0", {"FINBACK_SUITE": "sid", "FINBACK_CHECK_VALID_UNTIL": "false"}),
}
SECONDS = 400.0

pytestmark = [pytest.mark.boot, pytest.mark.archive, pytest.mark.slow]


def finback(folder: Path, *arguments: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "finback", *arguments],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "s"), **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def boots(folder: Path, architecture: str, form: str, name: str) -> None:
    """The minimal system as *form* comes to its readiness, when *name* is run."""
    machine, console, env = MACHINES[architecture]
    if not shutil.which(f"qemu-system-{machine}"):
        pytest.skip(f"no QEMU for {machine}")
    text = (ROOT / "assemblies/minimal/minimal.yml").read_text()
    (folder / "minimal.yml").write_text(text.replace("console=tty0 console=ttyS0", f"console={console}"))
    finback(folder, "build", "--arch", architecture, "--name", "minimal", "--format", form, "minimal.yml", **env)
    finback(folder, "run", "--detach", "--accel", "tcg", "--arch", architecture, name)
    (state,) = (folder / "s/finback/machines").iterdir()
    try:
        limit = time.monotonic() + SECONDS
        while not any(_is_up(line) for line in (state / "events.jsonl").read_text().splitlines()):
            assert time.monotonic() < limit, (state / "console.log").read_text(errors="replace")
            time.sleep(0.5)
    finally:
        said = finback(folder, "stop", state.name, "--timeout", "60")
    assert "has stopped" in said


@pytest.mark.parametrize("architecture", MACHINES)
def test_the_minimal_system_boots(architecture: str, tmp_path: Path) -> None:
    boots(tmp_path, architecture, "kernel+initrd", "minimal")


@pytest.mark.parametrize(
    ("architecture", "form", "name"),
    [
        ("arm64", "raw-efi", "minimal-efi.img"),
        ("arm64", "raw", "minimal.img"),
        ("arm64", "uki", "minimal.efi"),
        ("arm64", "iso", "minimal-hybrid.iso"),
        ("riscv64", "raw-efi", "minimal-efi.img"),
        ("riscv64", "uki", "minimal.efi"),
    ],
)
def test_uefi_boots_the_minimal_system(architecture: str, form: str, name: str, tmp_path: Path) -> None:
    try:
        firmware.find(architecture, tmp_path / "variables")
    except FinbackError:
        pytest.skip(f"no UEFI firmware for {architecture}")
    boots(tmp_path, architecture, form, name)


def _is_up(line: str) -> bool:
    try:
        report = json.loads(line)
    except ValueError:
        return False
    return (report["stage"], report["name"], report["event"]) == ("service", "getty", "up")
