"""Disks boot as they are, by BIOS and by UEFI, to a prompt on their console."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finback.app import firmware

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.xdist_group("boot"),
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


def finback(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "finback", *arguments],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "s")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("form", "name", "options"),
    [
        ("raw-bios", "web-bios.img", ("--firmware", "bios")),
        ("raw-efi", "web-efi.img", ("--bus", "nvme")),
        ("uki", "web.efi", ()),
        ("qcow2", "web.qcow2", ("--bus", "sata")),
        ("vmdk", "web.vmdk", ("--firmware", "uefi")),
        ("dynamic-vhd", "web-dynamic.vhd", ("--bus", "scsi")),
    ],
)
def test_a_disk_boots(form: str, name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    if ("uefi" in options or "efi" in name) and not any(f.is_dir() for f in firmware.FOLDERS):
        pytest.skip("no UEFI firmware")
    shutil.copy(ROOT / "assemblies/minimal/minimal.yml", tmp_path / "web.yml")
    finback(tmp_path, "build", "--arch", "amd64", "--format", form, "web.yml")
    before = (tmp_path / name).read_bytes()
    machine = name.partition(".")[0]
    finback(tmp_path, "run", "--detach", "--accel", "tcg", *options, name)
    console = tmp_path / "s/finback/machines" / machine / "console.log"
    try:
        limit = time.monotonic() + SECONDS
        while "~ #" not in console.read_text(errors="replace"):
            assert time.monotonic() < limit, console.read_text(errors="replace")[-2000:]
            time.sleep(0.5)
    finally:
        finback(tmp_path, "stop", machine, "--timeout", "60")
    assert (tmp_path / name).read_bytes() == before
