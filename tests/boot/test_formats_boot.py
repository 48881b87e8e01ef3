"""Every format that boots, made of the talk's assembly and booted to its web server's HTTP 200."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from finback.app.machine import firmware
from finback.outputs import FORMATS

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 600.0
MEMORY = "1024"
# They boot no machine by themselves: archives of what others have, and a disc for kernels that Debian has not. The
# Raspberry Pi's needs its firmware, s390x's kernel+initrd is in `test_architectures`, packages in
# `test_packages_installed`.
APART = {"tar", "tar-kernel-initrd", "docker", "oci", "kernel+iso", "rpi", "deb", "rpm"}
# Format, what `finback run` is given, its options.
CASES = [
    ("kernel+initrd", "web", ()),
    ("kernel+squashfs", "web-squashfs.img", ()),
    ("kernel+erofs", "web-erofs.img", ("--bus", "nvme")),
    ("uki", "web.efi", ()),
    ("raw-bios", "web-bios.img", ()),
    ("raw-efi", "web-efi.img", ("--bus", "sata")),
    ("raw", "web.img", ("--firmware", "bios", "--bus", "scsi")),
    ("raw", "web.img", ("--firmware", "uefi")),
    ("qcow2", "web.qcow2", ("--firmware", "bios")),
    ("qcow2", "web.qcow2", ("--firmware", "uefi", "--bus", "nvme")),
    ("qcow2-bios", "web-bios.qcow2", ()),
    ("qcow2-efi", "web-efi.qcow2", ()),
    ("vhd", "web.vhd", ("--bus", "sata")),
    ("dynamic-vhd", "web-dynamic.vhd", ("--firmware", "uefi")),
    ("vhdx", "web.vhdx", ("--firmware", "uefi", "--bus", "scsi")),
    ("vmdk", "web.vmdk", ("--bus", "scsi")),
    ("ova", "web-disk1.vmdk", ("--firmware", "uefi", "--bus", "sata")),
    ("aws", "web.raw", ("--bus", "nvme", "--firmware", "uefi")),
    ("gcp", "disk.raw", ("--firmware", "uefi", "--bus", "scsi")),
    ("azure", "web-azure.vhd", ("--bus", "sata")),
    ("iso-bios", "web.iso", ()),
    ("iso-bios", "web.iso", ("--bus", "virtio")),
    ("iso-efi", "web-efi.iso", ()),
    ("iso-efi", "web-efi.iso", ("--bus", "virtio")),
    ("iso-efi-initrd", "web-efi-initrd.iso", ()),
    ("iso-efi-initrd", "web-efi-initrd.iso", ("--bus", "sata")),
    ("iso", "web-hybrid.iso", ("--firmware", "bios")),
    ("iso", "web-hybrid.iso", ("--firmware", "uefi")),
    ("iso", "web-hybrid.iso", ("--firmware", "bios", "--bus", "virtio")),
    ("iso", "web-hybrid.iso", ("--firmware", "uefi", "--bus", "virtio")),
]
COMPRESSED = [(f"kernel+{root}", f"web-{root}.img", m) for root in ("squashfs", "erofs") for m in ("lz4", "zstd")]

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.xdist_group("formats"),
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
    pytest.mark.skipif(not any(f.is_dir() for f in firmware.FOLDERS), reason="no UEFI firmware"),
]


def finback(folder: Path, *arguments: str, state: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "finback", *arguments],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(state or folder)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as members:
        members.extractall(folder, filter="data")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All formats that have something to boot, made by one command."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copy(ROOT / "assemblies/talk/talk.yml", folder / "web.yml")
    names = ",".join(sorted({form for form, _, _ in CASES} | {"netboot"}))
    finback(folder, "build", "--arch", "amd64", "--format", names, "web.yml")
    unpack(folder / "web.ova", folder)
    unpack(folder / "web.img.tar.gz", folder)
    (folder / "tftp").mkdir()
    unpack(folder / "web-netboot.tar", folder / "tftp")
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answered(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as response:
            return int(response.status) == 200
    except (urllib.error.URLError, OSError):
        return False


def boots(folder: Path, state: Path, name: str, *options: str) -> None:
    """`finback run` boots *name* to its web server, with a *state* of its own."""
    port = free_port()
    publish = ("--publish", f"{port}:80", "--mem", MEMORY)
    said = finback(folder, "run", "--detach", "--accel", "tcg", *publish, *options, name, state=state)
    (machine,) = (p.name for p in (state / "finback/machines").iterdir())
    try:
        began = time.monotonic()
        while not answered(port):
            console = state / "finback/machines" / machine / "console.log"
            assert time.monotonic() - began < LIMIT, said + console.read_text(errors="replace")[-4000:]
            time.sleep(0.5)
    finally:
        finback(folder, "stop", machine, "--timeout", "60", state=state)


def test_no_format_is_forgotten() -> None:
    assert {form for form, _, _ in CASES} | APART | {"netboot"} == {*FORMATS.names()}


@pytest.mark.parametrize(("form", "name", "options"), CASES)
def test_a_format_boots_to_http_200(
    built: Path, form: str, name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    boots(built, tmp_path / "s", name, *options)


@pytest.mark.parametrize(("form", "name", "method"), COMPRESSED)
def test_a_compressed_root_boots_to_http_200(form: str, name: str, method: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "assemblies/talk/talk.yml", tmp_path / "web.yml")
    finback(tmp_path, "build", "--arch", "amd64", "--format", form, "--compression", method, "web.yml")
    boots(tmp_path, tmp_path / "s", name)


@pytest.fixture
def server(built: Path) -> Iterator[str]:
    """The address, as a guest of QEMU sees it, of what an HTTP server gives."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    make = functools.partial(Handler, directory=str(built / "tftp"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), make) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://10.0.2.2:{serving.server_port}"
        serving.shutdown()


def boots_by_network(folder: Path, console: Path, network: str, *options: str) -> None:
    port = free_port()
    guest = subprocess.Popen(
        [
            "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", MEMORY, "-nodefaults",
            "-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{console}", "-boot", "n",
            "-device", "virtio-rng-pci",
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:80,tftp={folder},{network}",
            "-device", "virtio-net-pci,netdev=net", *options,
        ]
    )  # fmt: skip
    try:
        began = time.monotonic()
        while not answered(port):
            said = console.read_text(errors="replace") if console.exists() else ""
            assert guest.poll() is None, said[-4000:]
            assert time.monotonic() - began < LIMIT, said[-4000:]
            time.sleep(0.5)
    finally:
        guest.kill()
        guest.wait()


def uefi(folder: Path, variables: bytes = b"") -> tuple[str, ...]:
    """Firmware with *variables* in its store."""
    found = firmware.find("amd64", folder / "variables")
    firmware.prepare(found)
    data = bytearray(found.variables.read_bytes())
    # Behind the volume's header and that of the store, which is empty.
    at = struct.unpack_from("<H", data, 48)[0] + 28
    data[at : at + len(variables)] = variables
    found.variables.write_bytes(data)
    return (
        "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={found.code}",
        "-drive", f"if=pflash,unit=1,format=raw,file={found.variables}",
    )  # fmt: skip


def variable(name: str, value: bytes) -> bytes:
    """A variable of UEFI's own, as EDK II stores it (AUTHENTICATED_VARIABLE_HEADER)."""
    text = f"{name}\0".encode("utf-16-le")
    guid = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c").bytes_le
    head = struct.pack("<HBBIQ16xIII16s", 0x55AA, 0x3F, 0, 7, 0, 0, len(text), len(value), guid)
    made = head + text + value
    return made.ljust(-(-len(made) // 4) * 4, b"\xff")


def boot_from(address: str) -> bytes:
    """Variables that have the firmware boot from *address* (UEFI 2.10, 3.1.3 and 10.3.4.23)."""
    path = struct.pack("<BBH", 3, 24, 4 + len(address)) + address.encode() + struct.pack("<BBH", 0x7F, 0xFF, 4)
    option = struct.pack("<IH", 1, len(path)) + "web\0".encode("utf-16-le") + path
    return variable("Boot0077", option) + variable("BootNext", struct.pack("<H", 0x77))


@pytest.mark.parametrize("bootfile", ["pxelinux.0", "boot.ipxe"])
def test_a_bios_boots_by_tftp(built: Path, bootfile: str, tmp_path: Path) -> None:
    boots_by_network(built / "tftp", tmp_path / "console", f"bootfile={bootfile}")


def test_a_bios_boots_by_http(built: Path, server: str, tmp_path: Path) -> None:
    boots_by_network(tmp_path, tmp_path / "console", f"bootfile={server}/boot.ipxe")


def test_uefi_boots_by_tftp(built: Path, tmp_path: Path) -> None:
    boots_by_network(built / "tftp", tmp_path / "console", "bootfile=boot.efi", *uefi(tmp_path))


def test_uefi_boots_by_http(built: Path, server: str, tmp_path: Path) -> None:
    boots_by_network(tmp_path, tmp_path / "console", "bootfile=none", *uefi(tmp_path, boot_from(f"{server}/boot.efi")))
