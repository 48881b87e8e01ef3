"""Packages installed into whole hosts: verified, booted by the entry that they bring, removed without a trace.

The hosts run in QEMU, so that this takes no root: Debian's packages are put together by mmdebstrap, and each host's
init is a script of `hosts/`. The one has dpkg, and GRUB with the menu that its own scripts make. The other has RPM, and
systemd-boot with the entries that packages leave in /boot/loader/entries, a FAT volume.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from finback.app.machine import firmware

ROOT = Path(__file__).resolve().parents[2]
HOSTS = Path(__file__).parent / "hosts"
MIB = 1 << 20
ESP, SIZE = 256 * MIB, 1536 * MIB
LIMIT = 900.0
PACKAGES = "linux-image-cloud-amd64,initramfs-tools,zstd,grub-efi-amd64-bin,grub2-common,systemd-boot-efi,rpm"
PROGRAMS = ("qemu-system-x86_64", "mmdebstrap", "fakeroot", "mkfs.ext4", "mkfs.fat", "mcopy", "sgdisk", "rpmbuild")
BASE = """\
Name: base
Version: 1
Release: 1
Summary: What a host brings
License: none
BuildArch: noarch
Provides: /bin/sh
%description
%files
"""
ENTRY = """\
title The host
sort-key a
linux /vmlinuz
initrd /initrd.img
options root=/dev/vda2 console=ttyS0 init=/host
"""

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.xdist_group("packages"),
    *(pytest.mark.skipif(not shutil.which(p), reason=f"no {p}") for p in PROGRAMS),
    pytest.mark.skipif(not any(f.is_dir() for f in firmware.FOLDERS), reason="no UEFI firmware"),
]


def run(*argv: object, cwd: Path | None = None, seconds: float = 900) -> None:
    done = subprocess.run([str(a) for a in argv], cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, (argv, done.stdout[-2000:], done.stderr[-4000:])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Debian root as `root.tar`, and its kernel and initrd."""
    folder = tmp_path_factory.mktemp("host")
    # A mirror that lags behind serves a host that is thrown away as well.
    options = ("--aptopt=Acquire::Check-Valid-Until false", "--variant=minbase", f"--include={PACKAGES}")
    run("mmdebstrap", "--quiet", *options, "stable", folder / "root.tar")
    with tarfile.open(folder / "root.tar") as archive:
        for member in archive:
            for name in ("vmlinuz", "initrd.img", "systemd-bootx64.efi"):
                if member.isfile() and Path(member.name).name.startswith(name):
                    body = archive.extractfile(member)
                    assert body
                    (folder / name).write_bytes(body.read())
    return folder


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of a web server, and one for RPM that brings what a host has."""
    folder = tmp_path_factory.mktemp("packages")
    shutil.copy(ROOT / "assemblies/nginx/nginx.yml", folder / "web.yml")
    run(sys.executable, "-m", "finback", "build", "--arch", "amd64", "--format", "deb,rpm", "web.yml", cwd=folder)
    (folder / "base.spec").write_text(BASE)
    run("rpmbuild", "-bb", "--define", f"_topdir {folder}", "--define", f"_rpmdir {folder}", "base.spec", cwd=folder)
    shutil.copy(folder / "noarch/base-1-1.noarch.rpm", folder / "base")
    return folder


def disk(folder: Path, root: Path, files: dict[str, Path], boot: dict[str, Path]) -> Path:
    """A disk with a FAT volume that holds *boot*, and the root with *files* added."""
    path = folder / "disk"
    with path.open("wb") as out:
        out.truncate(SIZE)
    end = MIB + ESP
    run("sgdisk", "-n", f"1:2048:{end // 512 - 1}", "-t", "1:EF00", "-n", f"2:{end // 512}:0", path)
    run("mkfs.fat", "-F", "32", "-s", "1", "--offset", MIB // 512, path, ESP // 1024)
    folders = {str(p) for name in boot for p in Path(name).parents if str(p) != "."}
    for name in sorted(folders):
        run("mmd", "-i", f"{path}@@{MIB}", f"::{name}")
    for name, source in boot.items():
        run("mcopy", "-i", f"{path}@@{MIB}", source, f"::{name}")
    tree = folder / "tree"
    tree.mkdir()
    copies = "".join(f'cp "{source}" "{tree}/{name}"\n' for name, source in files.items())
    script = (
        f"set -eu\ntar -C {tree} -xf {root} --exclude='./dev/*'\n{copies}chmod 755 {tree}/host\n"
        # One MiB is left for the second copy of the partition table.
        f"mkfs.ext4 -q -F -d {tree} -E offset={end} {path} {(SIZE - end) // MIB - 1}M\n"
    )
    run("fakeroot", "sh", "-c", script)
    shutil.rmtree(tree)
    return path


@contextmanager
def machine(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], Path, int]]:
    """A machine with the disk of *folder*: its process, its console, and a port that leads to its port 80."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    console = folder / f"console-{len(list(folder.glob('console-*')))}"
    argv = [
        "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "1024M", "-nodefaults",
        "-no-user-config", "-display", "none", "-no-reboot", "-serial", f"file:{console}",
        "-drive", f"if=none,id=disk,format=raw,file={folder}/disk", "-device", "virtio-blk-pci,drive=disk",
        "-device", "virtio-rng-pci", "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:80",
        "-device", "virtio-net-pci,netdev=net,romfile=", *options,
    ]  # fmt: skip
    guest = subprocess.Popen(argv)
    try:
        yield guest, console, port
    finally:
        guest.kill()
        guest.wait()


def uefi(folder: Path) -> tuple[str, ...]:
    found = firmware.find("amd64", folder / "variables")
    firmware.prepare(found)
    return (
        "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={found.code}",
        "-drive", f"if=pflash,unit=1,format=raw,file={found.variables}",
    )  # fmt: skip


def ends(folder: Path, *options: str) -> str:
    """What a machine says that turns itself off."""
    with machine(folder, *options) as (guest, console, _):
        try:
            guest.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(console.read_text(errors="replace")[-4000:]) from None
        return console.read_text(errors="replace")


def answers(folder: Path, *options: str) -> None:
    """The machine of *folder* boots to a web server."""
    with machine(folder, *options) as (guest, console, port):
        began = time.monotonic()
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as response:
                    assert response.status == 200
                    break
            except (urllib.error.URLError, OSError):
                said = console.read_text(errors="replace") if console.exists() else ""
                assert guest.poll() is None, said[-4000:]
                assert time.monotonic() - began < LIMIT, said[-4000:]
                time.sleep(0.5)
        assert "HOST" not in console.read_text(errors="replace")


def installed_booted_removed(folder: Path, root: Path, choose_host: Callable[[], None] = lambda: None) -> None:
    """Install, boot what was installed, *choose_host* if its boot loader does not return to it, and remove."""
    direct = ("-kernel", f"{root}/vmlinuz", "-initrd", f"{root}/initrd.img")
    cmdline = "root=/dev/vda2 console=ttyS0 init=/host"
    said = ends(folder, *direct, "-append", cmdline)
    assert "HOST: installed" in said, said[-4000:]
    answers(folder, *uefi(folder))
    choose_host()
    # The firmware, the boot loader and the host's own entry are as they were.
    said = ends(folder, *uefi(folder))
    assert "HOST: removed" in said, said[-4000:]


def test_a_deb_on_debian_with_grub(root: Path, packages: Path, tmp_path: Path) -> None:
    disk(tmp_path, root / "root.tar", {"host": HOSTS / "debian.sh", "package": packages / "web.deb"}, {})
    installed_booted_removed(tmp_path, root)


def test_an_rpm_with_entries_of_the_boot_loader_specification(root: Path, packages: Path, tmp_path: Path) -> None:
    (tmp_path / "entry").write_text(ENTRY)
    (tmp_path / "loader").write_text("default finback-*\ntimeout 0\n")
    boot = {
        "EFI/BOOT/BOOTX64.EFI": root / "systemd-bootx64.efi",
        "loader/loader.conf": tmp_path / "loader",
        "loader/entries/host.conf": tmp_path / "entry",
        "vmlinuz": root / "vmlinuz",
        "initrd.img": root / "initrd.img",
    }
    files = {"host": HOSTS / "fedora.sh", "package": packages / "web.rpm", "base": packages / "base"}
    disk(tmp_path, root / "root.tar", files, boot)

    def choose_host() -> None:
        (tmp_path / "loader").write_text("default host.conf\ntimeout 0\n")
        run("mcopy", "-o", "-i", f"{tmp_path}/disk@@{MIB}", tmp_path / "loader", "::loader/loader.conf")

    installed_booted_removed(tmp_path, root, choose_host)
