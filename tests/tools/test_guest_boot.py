"""Single functions of the guest's `boot`, in busybox's shell on this machine, with a folder for the root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BOOT = Path(__file__).resolve().parents[2] / "components/init/rootfs/usr/lib/finback/boot"
RANDOM = "0f1e2d3c-0000-4000-8000-00000000abcd"

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox"),
]


def run(root: Path, name: str, before: str = "") -> str:
    """What the function *name* says, run after *before*."""
    found = re.search(rf"^{name}\(\) \{{.*?^\}}.*?$", BOOT.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    text = re.sub(r"(?<![\w.])/(etc|sys|proc|run|var/lib)(?=/)", rf"{root}/\1", found[0])
    script = f'complain() {{ echo "$*"; }}\ncmdline=\n{before}\n{text}\n{name}\n'
    done = subprocess.run(["busybox", "sh", "-c", script], capture_output=True, text=True, check=True, timeout=20)
    return done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folders = "etc/finback sys/class/dmi/id sys/class/misc/hw_random proc/sys/kernel/random run/finback"
    for folder in folders.split():
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/uuid").write_text(RANDOM + "\n")
    (tmp_path / "proc/mounts").write_text("tmpfs /var tmpfs rw 0 0\n")
    (tmp_path / "etc/machine-id").symlink_to("../run/machine-id")
    return tmp_path


@pytest.mark.parametrize(
    ("firmware", "expected"),
    [
        ("4C4C4544-0042-3510-8053-B4C04F4D3332\n", "4c4c4544004235108053b4c04f4d3332"),
        ("00000000-0000-0000-0000-000000000000\n", RANDOM.replace("-", "")),
        ("Not Settable\n", RANDOM.replace("-", "")),
        ("", RANDOM.replace("-", "")),
        (None, RANDOM.replace("-", "")),
    ],
)
def test_the_identifier_is_that_of_the_firmware_or_random(root: Path, firmware: str | None, expected: str) -> None:
    if firmware is not None:
        (root / "sys/class/dmi/id/product_uuid").write_text(firmware)
    run(root, "set_machine_id")
    assert (root / "etc/machine-id").read_text() == expected + "\n"


def test_the_identifier_of_the_image_stays(root: Path) -> None:
    (root / "etc/machine-id").unlink()
    (root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    run(root, "set_machine_id")
    run(root, "keep_machine_id")
    assert not (root / "run/machine-id").exists()
    assert not (root / "var/lib/finback").exists()


def test_the_first_identifier_is_kept_on_a_disk(root: Path) -> None:
    run(root, "set_machine_id")
    run(root, "keep_machine_id")
    assert not (root / "var").exists()
    (root / "proc/mounts").write_text("/dev/vda1 /var ext4 rw 0 0\n")
    run(root, "keep_machine_id")
    (root / "proc/sys/kernel/random/uuid").write_text(RANDOM.replace("a", "b"))
    run(root, "set_machine_id")
    # The link is followed already, so the machine is as after a boot.
    (root / "run/machine-id").write_text("other\n")
    run(root, "keep_machine_id")
    assert (root / "run/machine-id").read_text() == RANDOM.replace("-", "") + "\n"


def test_a_clock_before_the_image_is_set(root: Path) -> None:
    plan = root / "etc/finback/plan.json"
    plan.write_text("{}")
    date = 'hwclock() { :; }\ndate() { case $1 in -r) command date "$@" ;; *) echo "$1 $2" ;; esac; }'
    os.utime(plan, (1_000_000_000, 1_000_000_000))
    assert run(root, "set_clock", date) == ""
    # A file from the future is all the same to the shell as a clock in the past.
    os.utime(plan, (4_000_000_000, 4_000_000_000))
    said = run(root, "set_clock", date.replace('*) echo "$1 $2"', f'*) echo "$1 $2" >{root}/set'))
    assert "the clock is wrong" in said


@pytest.mark.parametrize(("cmdline", "expected"), [("quiet", "10"), ("panic=0 quiet", "0"), ("quiet panic=5", "0")])
def test_a_panic_ends_in_a_new_start(root: Path, cmdline: str, expected: str) -> None:
    (root / "proc/sys/kernel/panic").write_text("0\n")
    run(root, "set_kernel", f"cmdline='{cmdline}'")
    assert (root / "proc/sys/kernel/panic").read_text().strip() == expected


@pytest.mark.parametrize(("quality", "expected"), [("0", "1000"), ("900", "900")])
def test_entropy_is_credited(root: Path, quality: str, expected: str) -> None:
    path = root / "sys/class/misc/hw_random/rng_quality"
    path.write_text(quality + "\n")
    run(root, "credit_entropy")
    assert path.read_text().strip() == expected
    path.unlink()
    run(root, "credit_entropy")
