"""LinuxKit's storage steps: what they make of disks, also after a power cut and on disks that have grown."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from finback.vm import VM, Disk

SYSTEM = Path(__file__).parent / "systems/storage-tools.yml"
MIB = 1 << 20
SIZES = {"first.img": (96, 160), "second.img": (400, 480), "third.img": (256, 320)}
SECONDS = 300

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.xdist_group("boot"),
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


def machine(folder: Path) -> VM:
    return VM(
        image=folder / "storage-tools",
        state=folder / "state",
        memory=1024,
        disks=tuple(Disk(path=folder / name, format="raw") for name in SIZES),
        accelerator="tcg",
        snapshots=False,
    )


def shell(vm: VM, script: str) -> str:
    """What *script* prints, once all steps have ended; it has to succeed."""
    done = vm.execute("sh", "-ec", script, timeout=60)
    assert done.status == 0, (done, vm.console()[-3000:])
    return done.text


def mebibytes(vm: VM, point: str) -> int:
    return int(shell(vm, f"df -m {point} | tail -n 1 | awk '{{ print $2 }}'"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("storage")
    shutil.copy(SYSTEM, place)
    subprocess.run([sys.executable, "-m", "finback", "build", SYSTEM.name], cwd=place, check=True, timeout=300)
    for name, (before, _) in SIZES.items():
        (place / name).touch()
        os.truncate(place / name, before * MIB)
    return place


@pytest.fixture(scope="module")
def new(folder: Path) -> Iterator[VM]:
    """The machine in its first boot; at the end its power is cut."""
    vm = machine(folder)
    vm.start()
    vm.wait_until_up(SECONDS)
    yield vm
    if vm.alive:
        vm.kill()


@pytest.fixture(scope="module")
def grown(folder: Path, new: VM) -> Iterator[VM]:
    """The machine in its second boot: its power was cut while it wrote, and its disks are larger."""
    shell(new, "echo kept >/var/first/kept; echo kept >/var/second/kept; echo kept >/var/secret/kept; sync")
    shell(new, "dd if=/dev/zero of=/var/first/more bs=1M count=2 2>/dev/null; sync; echo lost >/var/first/lost")
    new.kill()
    deadline = time.monotonic() + 20
    while new.alive:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for name, (_, after) in SIZES.items():
        os.truncate(folder / name, after * MIB)
    vm = machine(folder)
    vm.start()
    vm.wait_until_up(SECONDS)
    yield vm
    if vm.alive:
        vm.kill()


def test_first_boot(new: VM) -> None:
    mounts = shell(new, "cat /proc/mounts")
    assert "/dev/vda1 /var/first ext4" in mounts
    assert "/dev/vdb1 /var/second xfs" in mounts
    assert "/dev/vdc1 /var/third btrfs" in mounts
    assert "/var/secret ext4" in mounts
    console = new.console()
    assert "format: Partition /dev/vdb1 successfully created!" in console
    assert "format: unsupported partition table type bsd" in console
    assert "No free space on device to extend partition" in console
    # The identifiers that tables have while a disk is being formatted are gone.
    head = shell(new, "dd if=/dev/vda bs=1 skip=440 count=4 2>/dev/null | od -An -tx1")
    assert head.split() != ["fa", "c4", "ba", "f1"]


def test_a_disk_that_is_missing_loses_no_data_unnoticed(new: VM) -> None:
    assert "no file system has the label nowhere" in new.console()
    assert "no-disk /var/missing tmpfs ro" in shell(new, "cat /proc/mounts")
    assert new.execute("sh", "-c", "echo x >/var/missing/file").status != 0
    # With -optional the step says that it fails, and leaves the folder alone.
    assert "there is no disk /dev/vdz" in new.console()
    shell(new, "! grep -q ' /var/optional ' /proc/mounts")


def test_loop_crypt_and_swap(new: VM) -> None:
    assert shell(new, "cat /sys/block/loop0/size").split() == [str(24 * 2048)]
    assert "mapper/swapfile" in shell(new, "cat /proc/swaps")
    assert "the condition partsize:/var/first:900G does not hold" in new.console()
    shell(new, "test ! -e /var/first/other")
    # Ciphertext to the end: what was free is encrypted too.
    tail = "dd if=/var/first/disk bs=1M skip=20 count=1 2>/dev/null | tr -d '\\0' | wc -c"
    assert int(shell(new, tail)) > MIB * 0.98
    links = shell(new, "ls -l /dev/disk/by-label /dev/disk/by-uuid")
    assert "first -> ../../vda1" in links


def test_after_a_power_cut_all_grows(grown: VM) -> None:
    console = grown.console()
    assert "recovering journal" in console
    assert console.count("extend: Successfully resized") == 3
    assert mebibytes(grown, "/var/first") > 135
    assert mebibytes(grown, "/var/second") > 400
    assert mebibytes(grown, "/var/third") > 300
    assert shell(grown, "cat /var/first/kept /var/second/kept").split() == ["kept", "kept"]


def test_an_encrypted_disk_is_opened_again(grown: VM) -> None:
    assert shell(grown, "cat /var/secret/kept").split() == ["kept"]
    assert "crypto: new file system" not in grown.console()
    assert "mapper/swapfile" in shell(grown, "cat /proc/swaps")


def test_a_file_system_smaller_than_its_partition_grows(folder: Path, grown: VM) -> None:
    """What a version that stopped between the two left: the partition counted as grown, its file system was not."""
    shell(grown, "sync")
    grown.kill()
    time.sleep(1)
    image = folder / "first.img"
    part = folder / "part.img"
    start = 2048 * 512
    with image.open("rb") as disk:
        disk.seek(start)
        part.write_bytes(disk.read())
    assert subprocess.run(["e2fsck", "-fy", part], capture_output=True, check=False).returncode <= 1
    subprocess.run(["resize2fs", part, "100M"], check=True, timeout=60)
    with image.open("r+b") as disk:
        disk.seek(start)
        disk.write(part.read_bytes()[: image.stat().st_size - start])
    os.truncate(image, SIZES["first.img"][1] * MIB)
    vm = machine(folder)
    vm.start()
    try:
        vm.wait_until_up(SECONDS)
        assert "the file system on /dev/vda1 is smaller than its partition" in vm.console()
        # The others were complete after the boot before.
        assert vm.console().count("extend: Successfully resized") == 1
        for part in ("/dev/vdb1", "/dev/vdc1"):
            assert f"{part} is as large as can be" in vm.console()
        assert mebibytes(vm, "/var/first") > 135
        assert shell(vm, "cat /var/first/kept").split() == ["kept"]
    finally:
        vm.kill()
