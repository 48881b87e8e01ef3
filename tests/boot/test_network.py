"""Networks, secrets and metadata, asked by the `tests` of files in `systems/`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from finback.codec import iso9660
from finback.codec.disk import content
from finback.tree.content import Inline, read_inline
from finback.tree.entry import AnyEntry, Directory, File

SYSTEMS = Path(__file__).parent / "systems"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


def holds(folder: Path, name: str) -> str:
    """Test one system, all of whose tests must hold; its console."""
    shutil.copy(SYSTEMS / f"{name}.yml", folder)
    shutil.copy(SYSTEMS / "metadata_server.py", folder)
    done = subprocess.run(
        [sys.executable, "-m", "finback", "test", "--accel", "tcg", "--mem", "640", f"{name}.yml"],
        cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "s")},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_interfaces_of_every_kind(tmp_path: Path) -> None:
    assert "16 of 16 hold" in holds(tmp_path, "network")


def test_routers_outside_of_the_addresses_networks(tmp_path: Path) -> None:
    assert "6 of 6 hold" in holds(tmp_path, "routing")


def test_networks_between_services_and_secrets(tmp_path: Path) -> None:
    assert "18 of 18 hold" in holds(tmp_path, "networks")


def test_the_same_with_containerd(tmp_path: Path) -> None:
    assert "3 of 3 hold" in holds(tmp_path, "networks-containerd")


def test_networks_of_cni_plug_ins(tmp_path: Path) -> None:
    assert "4 of 4 hold" in holds(tmp_path, "networks-cni")


def test_metadata_of_discs_and_clouds(tmp_path: Path) -> None:
    assert "44 of 44 hold" in holds(tmp_path, "metadata")


def test_nobody_answers(tmp_path: Path) -> None:
    assert "4 of 4 hold" in holds(tmp_path, "network-silent")


def test_no_boot_without_the_network(tmp_path: Path) -> None:
    assert "2 of 2 hold" in holds(tmp_path, "network-halt")


def disc(path: Path, label: str, files: dict[str, str]) -> None:
    folders = sorted({"/".join(f.split("/")[:n]) for f in files for n in range(1, f.count("/") + 1)})
    entries: list[AnyEntry] = [Directory(path=f) for f in folders]
    entries += [File(path=f, content=Inline(text.encode())) for f, text in sorted(files.items())]
    body = iso9660.encode(entries, iso9660.Volume(label=label, epoch=0, joliet=False))
    path.write_bytes(b"".join(bytes(c) for c in content(body, read_inline)))


def fat(path: Path, label: bytes, file: str, text: str) -> None:
    """A FAT file system whose label is in its boot sector alone, where it is 11 bytes at 43 of FAT12."""
    path.touch()
    os.truncate(path, 2 << 20)
    (path.parent / file).write_text(text)
    for command in (["mkfs.fat", path], ["mcopy", "-i", path, path.parent / file, "::"]):
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    with path.open("r+b") as out:
        out.seek(43)
        out.write(label.ljust(11))


def test_nocloud_and_config_drive(tmp_path: Path) -> None:
    meta = "instance-id: i-7\nlocal-hostname: cloudy\npublic-keys:\n  - ssh-ed25519 AAAA me\n"
    user = "#cloud-config\nssh_authorized_keys:\n  - ssh-ed25519 BBBB you\n"
    disc(tmp_path / "a.iso", "cidata", {"meta-data": meta, "user-data": user, "network-config": "version: 2\n"})
    drive = '{"uuid": "u-1", "hostname": "stacked", "public_keys": {"me": "ssh-ed25519 CCCC me"}}'
    names = {"openstack/latest/meta_data.json": drive, "openstack/latest/user_data": '{"a": {"content": "b"}}'}
    disc(tmp_path / "b.iso", "config-2", names)
    fat(tmp_path / "c.img", b"CONFIG", "config", '{"z": {"content": "of FAT"}}')
    shutil.copy(SYSTEMS / "discs.yml", tmp_path)

    def finback(*arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "finback", *arguments],
            cwd=tmp_path,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "s")},
            input=given,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        return done.stdout + (done.stderr if done.returncode else "")

    finback("build", "discs.yml")
    discs = ("--disk", "a.iso,format=raw", "--disk", "b.iso,format=raw", "--disk", "c.img,format=raw")
    finback("run", "--detach", "--accel", "tcg", "--mem", "256", *discs, "discs")
    try:
        script = "cd /run; grep -r . nocloud drive fat; exit 0\n"
        limit = time.monotonic() + 360
        while "fat/config/z" not in (seen := finback("shell", "discs", given=script)):
            assert time.monotonic() < limit, seen
            time.sleep(1)
    finally:
        finback("stop", "--timeout", "5", "discs")
    for line in (
        "fat/config/z:of FAT",
        "nocloud/config/hostname:cloudy",
        "nocloud/config/instance_id:i-7",
        "nocloud/config/ssh/authorized_keys:ssh-ed25519 BBBB you",
        "nocloud/config/network-config:version: 2",
        "drive/config/hostname:stacked",
        "drive/config/instance_id:u-1",
        "drive/config/ssh/authorized_keys:ssh-ed25519 CCCC me",
        "drive/config/a:b",
    ):
        assert line in seen
