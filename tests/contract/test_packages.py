"""Packages, taken by dpkg, rpm and lintian, and installed into a small root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from test_formats import outputs

pytestmark = pytest.mark.tools
BUSYBOX = next((p for p in ("/bin/busybox", "/usr/bin/busybox") if Path(p).exists()), "")
ENTRY = "boot/loader/entries/finback-t.conf"
FOLDER, SCRIPT = "boot/finback-t", "etc/grub.d/45_finback-t"


def needs(*programs: str, root: bool = False) -> Callable:
    missing = [p for p in programs if not shutil.which(p)]
    missing += ["root"] if root and os.geteuid() else []
    return pytest.mark.skipif(bool(missing), reason=f"no {missing}")


def tell(*command: str | Path) -> tuple[int, str]:
    """Exit status and output."""
    done = subprocess.run(
        command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout + (done.stderr if done.returncode else "")


def run(*command: str | Path) -> str:
    status, output = tell(*command)
    assert status == 0, output
    return output


@pytest.fixture
def built(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        path = tmp_path / f"t.{name}"
        path.write_bytes(outputs(name, tmp_path / "store")[f".{name}"])
        return path

    return make


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root that scripts run in, with a GRUB that says when its menu is made anew."""
    if not BUSYBOX or Path(BUSYBOX).read_bytes().find(b"/lib64/ld-linux") >= 0:
        pytest.skip("no static busybox")
    root = tmp_path / "root"
    for folder in ("bin", "boot/grub", "boot/loader/entries", "var/lib/dpkg/info", "var/lib/dpkg/updates", "dev"):
        (root / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    # A device takes root to make; what is written there does not matter.
    (root / "dev/null").touch()
    shutil.copy(BUSYBOX, root / "bin/busybox")
    for name in ("sh", "rm", "stat", "printf"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "boot/grub/grub.cfg").touch()
    grub = root / "bin/update-grub"
    grub.write_text("#!/bin/sh\necho made >>/boot/grub/grub.cfg\n")
    grub.chmod(0o755)
    return root


def check_installed(root: Path) -> None:
    assert (root / FOLDER / "kernel").read_bytes() == b"K" * 3000
    assert (root / FOLDER / "initrd.img").stat().st_size
    assert os.access(root / SCRIPT, os.X_OK)
    lines = dict(line.split(" ", 1) for line in (root / ENTRY).read_text().splitlines())
    assert lines["linux"] == "/boot/finback-t/kernel"
    assert lines["initrd"] == "/boot/finback-t/initrd.img"
    assert lines["options"] == "console=ttyS0"
    assert (root / "boot/grub/grub.cfg").read_text() == "made\n"


def check_removed(root: Path) -> None:
    assert not (root / FOLDER).exists()
    assert not (root / ENTRY).exists()
    assert (root / "boot/grub/grub.cfg").read_text() == "made\n" * 2


@needs("dpkg", root=True)
def test_dpkg_installs_verifies_and_removes(built: Callable[[str], Path], root: Path) -> None:
    package = built("deb")
    dpkg = ("dpkg", f"--root={root}", "--force-bad-path")
    run(*dpkg, "-i", package)
    check_installed(root)
    assert run(*dpkg, "-V", "finback-t") == ""
    (root / FOLDER / "kernel").write_bytes(b"changed")
    assert "boot/finback-t/kernel" in tell(*dpkg, "-V", "finback-t")[1]
    run(*dpkg, "-r", "finback-t")
    check_removed(root)
    run(*dpkg, "-P", "finback-t")
    assert not (root / SCRIPT).exists()


@needs("rpm", root=True)
def test_rpm_installs_verifies_and_removes(built: Callable[[str], Path], root: Path) -> None:
    package = built("rpm")
    rpm = ("rpm", "--root", root)
    run(*rpm, "-i", "--nodeps", package)
    check_installed(root)
    assert run(*rpm, "-V", "--nodeps", "finback-t") == ""
    (root / FOLDER / "kernel").write_bytes(b"changed")
    assert "/boot/finback-t/kernel" in tell(*rpm, "-V", "--nodeps", "finback-t")[1]
    run(*rpm, "-e", "finback-t")
    check_removed(root)
    assert not (root / SCRIPT).exists()


@needs("dpkg-deb")
def test_dpkg_deb_reads_it(built: Callable[[str], Path], tmp_path: Path) -> None:
    package = built("deb")
    assert run("dpkg-deb", "-f", package, "Package").strip() == "finback-t"
    assert run("dpkg-deb", "-f", package, "Architecture").strip() == "amd64"
    run("dpkg-deb", "-R", package, tmp_path / "x")
    listed = (tmp_path / "x/DEBIAN/md5sums").read_text().splitlines()
    assert sorted(line[34:] for line in listed) == [
        f"{FOLDER}/initrd.img",
        f"{FOLDER}/kernel",
        "usr/share/doc/finback-t/changelog.gz",
        "usr/share/doc/finback-t/copyright",
    ]


@needs("lintian")
def test_lintian_finds_no_error(built: Callable[[str], Path]) -> None:
    status, output = tell("lintian", "--no-cfg", "--allow-root", built("deb"))
    assert status in (0, 2), output
    # The test's plan is of 1970.
    errors = [line for line in output.splitlines() if line.startswith("E:") and "ancient-file" not in line]
    assert not errors
    assert "finback-t" in output


@needs("rpm")
def test_rpm_reads_it(built: Callable[[str], Path]) -> None:
    package = built("rpm")
    assert "digests OK" in run("rpm", "-K", "--nosignature", package)
    assert run("rpm", "-qlp", "--nosignature", package).split() == [
        f"/{FOLDER}",
        f"/{FOLDER}/initrd.img",
        f"/{FOLDER}/kernel",
        f"/{ENTRY}",
        f"/{SCRIPT}",
    ]
    assert run("rpm", "-qp", "--nosignature", "--qf", "%{NAME} %{ARCH} %{SIZE}", package).startswith(
        "finback-t x86_64 "
    )
    damaged = package.with_name("damaged.rpm")
    data = bytearray(package.read_bytes())
    data[-100] ^= 1
    damaged.write_bytes(data)
    assert tell("rpm", "-K", "--nosignature", damaged)[0]


@needs("shellcheck")
def test_the_scripts_are_sound(built: Callable[[str], Path], tmp_path: Path) -> None:
    if not shutil.which("dpkg-deb"):
        pytest.skip("no dpkg-deb")
    run("dpkg-deb", "-R", built("deb"), tmp_path / "x")
    run("shellcheck", *(tmp_path / "x" / p for p in ("DEBIAN/postinst", "DEBIAN/postrm", SCRIPT)))
