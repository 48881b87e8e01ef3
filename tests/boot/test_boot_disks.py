"""Disks boot as they are, by BIOS and by UEFI, to a prompt on their console."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finback.app.machine import firmware

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90
DATA = """
kernel: {image: finback/kernel, cmdline: console=ttyS0}
init: [finback/init]
onboot:
  - {name: format, image: finback/format}
  - {name: mount, image: finback/mount, command: [/usr/bin/mountie, /var/data]}
services:
  - {name: getty, image: finback/getty, env: [INSECURE=true]}
"""

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
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


def boot(folder: Path, name: str, *options: str) -> str:
    """Boot the disk *name* to a prompt; what it says on its console."""
    machine = name.partition(".")[0]
    finback(folder, "run", "--detach", "--accel", "tcg", *options, name)
    console = folder / "s/finback/machines" / machine / "console.log"
    try:
        limit = time.monotonic() + SECONDS
        while "~ #" not in console.read_text(errors="replace"):
            assert time.monotonic() < limit, console.read_text(errors="replace")[-2000:]
            time.sleep(0.5)
    finally:
        finback(folder, "stop", machine, "--timeout", "60")
    return console.read_text(errors="replace")


@pytest.mark.parametrize(
    ("form", "name", "options"),
    [
        ("raw-bios", "web-bios.img", ("--firmware", "bios")),
        ("raw-efi", "web-efi.img", ("--bus", "nvme")),
        ("uki", "web.efi", ()),
        ("qcow2", "web.qcow2", ("--bus", "sata")),
        ("vmdk", "web.vmdk", ("--firmware", "uefi")),
        ("iso-bios", "web.iso", ()),
        ("iso-efi", "web-efi.iso", ("--bus", "scsi")),
        ("iso", "web-hybrid.iso", ("--firmware", "uefi")),
        ("iso", "web-hybrid.iso", ("--bus", "sata")),
        ("dynamic-vhd", "web-dynamic.vhd", ("--bus", "scsi")),
    ],
)
def test_a_disk_boots(form: str, name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    if ("uefi" in options or "efi" in name) and not any(f.is_dir() for f in firmware.FOLDERS):
        pytest.skip("no UEFI firmware")
    shutil.copy(ROOT / "assemblies/minimal/minimal.yml", tmp_path / "web.yml")
    finback(tmp_path, "build", "--arch", "amd64", "--format", form, "web.yml")
    before = (tmp_path / name).read_bytes()
    boot(tmp_path, name, *options)
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize(("form", "name"), [("qcow2", "web.qcow2"), ("raw-bios", "web-bios.img")])
def test_what_a_size_leaves_is_formatted_and_mounted(form: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text(DATA)
    finback(tmp_path, "build", "--arch", "amd64", "--format", form, "--size", "300M", "web.yml")
    said = boot(tmp_path, name)
    assert "format: making ext4 on /dev/vda2" in said
    assert "mountie: /dev/vda2 is mounted on /var/data" in said
