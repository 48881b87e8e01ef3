"""Roots that the kernel mounts from a disk, booted in QEMU."""

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

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 80.0

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]
# Steps that say what the root is, and that it can't be written.
STEP = """
  - name: look
    image: finback/busybox
    binds: ["/:/machine", "/proc/mounts:/mounts"]
    capabilities: [all]
    command:
      - /bin/sh
      - -c
      - |
        busybox awk '$2 == "/machine" { print "root is", $3, substr($4, 1, 2) }' /proc/self/mounts
        busybox touch /machine/etc/written 2>/dev/null || echo "root is not written"
        busybox touch /machine/run/written /written && echo "run and container are written"
  - name: places
    image: finback/busybox
    readonly: true
    binds: ["/proc/version:/lacks/a/file", "/etc:/lacks/folder"]
    tmpfs: [/lacks/memory]
    cwd: /lacks/place
    command:
      - /bin/sh
      - -c
      - |
        read -r kind rest </lacks/a/file && [ -d /lacks/folder/finback ] && busybox touch /lacks/memory/written &&
          ! busybox touch /lacks/place/written && echo "$kind is seen from $(pwd)"
"""


def build(folder: Path, name: str, kind: str) -> None:
    argv = [sys.executable, "-m", "finback", "build", "--format", f"kernel+{kind}", f"{name}.yml"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def command(folder: Path, name: str, kind: str, root: str, port: int) -> list[str]:
    cmdline = f"console=ttyS0 panic=-1 {root}"
    return [
        "qemu-system-x86_64", "-machine", "q35,accel=tcg,sata=off,usb=off", "-cpu", "max", "-m", "256M",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{folder}/console",
        "-kernel", f"{folder}/{name}-kernel", "-initrd", f"{folder}/{name}-{kind}-initrd.img", "-append", cmdline,
        # A disk without a system comes first, which a root that is looked for must pass by.
        "-drive", f"if=none,id=blank,format=raw,file={folder}/blank", "-device", "virtio-blk-pci,drive=blank",
        "-drive", f"if=none,id=root,format=raw,readonly=on,file={folder}/{name}-{kind}.img",
        "-device", "virtio-blk-pci,drive=root", "-device", "virtio-rng-pci",
        "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:80",
        "-device", "virtio-net-pci,netdev=net,romfile=",
    ]  # fmt: skip


def answered(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as response:
            return int(response.status) == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.parametrize(("kind", "root"), [("squashfs", ""), ("erofs", "root=/dev/vdb")])
def test_nginx_answers_from_a_root_on_a_disk(kind: str, root: str, tmp_path: Path) -> None:
    text = (ROOT / "assemblies/nginx/nginx.yml").read_text().replace("onboot:", f"onboot:{STEP.rstrip()}")
    (tmp_path / "web.yml").write_text(text)
    (tmp_path / "blank").write_bytes(bytes(1 << 20))
    build(tmp_path, "web", kind)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    guest = subprocess.Popen(command(tmp_path, "web", kind, root, port))
    try:
        began = time.monotonic()
        while not answered(port):
            assert guest.poll() is None, (tmp_path / "console").read_text(errors="replace")
            assert time.monotonic() - began < LIMIT, (tmp_path / "console").read_text(errors="replace")
            time.sleep(0.3)
    finally:
        guest.kill()
        guest.wait()
    console = (tmp_path / "console").read_text(errors="replace")
    assert f"root is {kind} ro" in console
    assert "root is not written" in console
    assert "run and container are written" in console
    assert "Linux is seen from /lacks/place" in console
    assert "FAILED" not in console


@pytest.mark.parametrize("bus", ["virtio", "nvme", "sata", "scsi", "cdrom"])
def test_the_minimal_system_runs_from_every_bus(bus: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "assemblies/minimal/minimal.yml", tmp_path)
    build(tmp_path, "minimal", "squashfs")
    chosen = [] if bus == "virtio" else ["--bus", bus]
    finback(tmp_path, "run", "--detach", "--accel", "tcg", "--mem", "256", *chosen, "minimal")
    try:
        began = time.monotonic()
        while "service getty" not in finback(tmp_path, "ps", "--timeline", "minimal"):
            assert time.monotonic() - began < LIMIT
            time.sleep(1)
    finally:
        said = finback(tmp_path, "stop", "minimal", "--timeout", "30")
    assert "has stopped" in said


def finback(folder: Path, *arguments: str) -> str:
    argv = [sys.executable, "-m", "finback", *arguments]
    env = {**os.environ, "XDG_STATE_HOME": str(folder / "s")}
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
