"""Formats of disks: what is on them, by the tools that others read them with, and their sizes."""

from __future__ import annotations

import hashlib
import io
import shutil
import struct
import subprocess
import tarfile
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import pytest
from test_formats import outputs, written

import boot_loaders
from finback.codec import pe
from finback.ground.diagnostic import FinbackError
from finback.outputs import FORMATS, Options

MIB = 1 << 20
QEMU = {".qcow2": "qcow2", ".vhd": "vpc", ".vhdx": "vhdx", ".vmdk": "vmdk"}


def need(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"no {program}")


def run(*argv: object) -> str:
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (argv, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def made(name: str, folder: Path, options: Options | None = None) -> Path:
    for suffix, chunks in written(name, folder / "store", options):
        path = folder / f"t{suffix}"
        with path.open("wb") as out:
            for chunk in chunks:
                # Zeros become holes, so that large disks stay small.
                if chunk.count(0) == len(chunk):
                    out.truncate(out.seek(len(chunk), 1))
                else:
                    out.write(chunk)
        return path
    raise AssertionError(name)


def test_a_unified_image_holds_the_parts(tmp_path: Path) -> None:
    plain = outputs("kernel+initrd", tmp_path / "a")
    image = outputs("uki", tmp_path / "b")[".efi"]
    assert pe.section(image, ".linux") == plain["-kernel"]
    assert pe.section(image, ".initrd") == plain["-initrd.img"]
    assert pe.section(image, ".cmdline") == plain["-cmdline"]
    assert b"ID=finback" in (pe.section(image, ".osrel") or b"")
    assert (pe.section(image, ".sbat") or b"").startswith(b"sbat,1\nuki,1,")


@pytest.mark.tools
@pytest.mark.parametrize(
    ("name", "kernel"), [("raw", "kernel"), ("raw-bios", "kernel"), ("raw-efi", "EFI/BOOT/BOOTX64.EFI")]
)
def test_the_boot_partition_is_read_by_mtools(name: str, kernel: str, tmp_path: Path) -> None:
    need("fsck.fat", "mtype", "sgdisk")
    path = made(name, tmp_path)
    data = path.read_bytes()
    if name != "raw-bios":
        assert "No problems found" in run("sgdisk", "-v", path)
    sectors = int.from_bytes(data[MIB + 32 : MIB + 36], "little")
    volume = tmp_path / "volume"
    volume.write_bytes(data[MIB : MIB + sectors * 512])
    assert "files, " in run("fsck.fat", "-n", volume)
    expected = outputs("uki", tmp_path / "uki")[".efi"] if name == "raw-efi" else b"K" * 3000
    done = subprocess.run(["mtype", "-i", volume, f"::{kernel}"], capture_output=True, check=True, timeout=60)
    assert done.stdout == expected
    if name != "raw-efi":
        assert "APPEND console=ttyS0\n" in run("mtype", "-i", volume, "::syslinux.cfg")


@pytest.mark.tools
@pytest.mark.parametrize("name", ["qcow2", "qcow2-bios", "qcow2-efi", "vhd", "dynamic-vhd", "vhdx", "vmdk", "azure"])
def test_qemu_img_finds_the_raw_disk(name: str, tmp_path: Path) -> None:
    need("qemu-img")
    kind = {"qcow2-bios": "raw-bios", "qcow2-efi": "raw-efi"}.get(name, "raw")
    (tmp_path / "raw").mkdir()
    raw, other = made(kind, tmp_path / "raw"), made(name, tmp_path)
    form = QEMU[other.suffix]
    assert "identical" in run("qemu-img", "compare", "-f", "raw", "-F", form, raw, other)
    if form != "vpc":
        assert "No errors" in run("qemu-img", "check", "-f", form, other)


def test_the_same_disk_in_other_company(tmp_path: Path) -> None:
    assert outputs("aws", tmp_path / "a")[".raw"] == outputs("raw", tmp_path / "b")[".img"]


@pytest.mark.tools
def test_a_size_leaves_a_partition_for_data(tmp_path: Path) -> None:
    need("sgdisk")
    path = made("raw", tmp_path, Options(size=300 * MIB))
    assert path.stat().st_size == 300 * MIB
    assert "No problems found" in run("sgdisk", "-v", path)
    rows = [line.split() for line in run("sgdisk", "-p", path).splitlines() if line.strip()[:1].isdigit()]
    assert [r[5] for r in rows] == ["EF00", "8300"]
    assert int(rows[1][1]) % 2048 == 0
    assert int(rows[1][2]) == 299 * 2048 - 1


def test_a_size_leaves_a_partition_in_a_master_boot_record(tmp_path: Path) -> None:
    data = outputs("raw-bios", tmp_path, Options(size=300 * MIB))["-bios.img"]
    entries = [struct.unpack_from("<B3xB3xII", data, 446 + 16 * i) for i in range(4)]
    assert [(e[0], e[1]) for e in entries] == [(0x80, 0x0C), (0, 0x83), (0, 0), (0, 0)]
    assert entries[0][2] + entries[0][3] <= entries[1][2]
    assert entries[1][2] + entries[1][3] == 300 * 2048


@pytest.mark.parametrize("name", [n for n, f in FORMATS if f.sized])
def test_too_small_a_size_is_refused_with_what_is_needed(name: str, tmp_path: Path) -> None:
    if name == "gcp":
        pytest.skip("is rounded up to a GiB")
    with pytest.raises(FinbackError) as caught:
        outputs(name, tmp_path, Options(size=5 * MIB))
    (found,) = caught.value.diagnostics
    assert found.code == "F029"
    least = int(found.help.split("give at least ")[1].split("M")[0])
    assert outputs(name, tmp_path, Options(size=least * MIB))


def test_an_ova_is_complete(tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(outputs("ova", tmp_path / "a")[".ova"])) as archive:
        names = archive.getnames()
        content = {n: archive.extractfile(n).read() for n in names}
    assert names == ["t.ovf", "t.mf", "t-disk1.vmdk"]
    for line in content["t.mf"].decode().splitlines():
        name, _, digest = line.removeprefix("SHA256(").partition(")= ")
        assert hashlib.sha256(content[name]).hexdigest() == digest
    space = {"o": "http://schemas.dmtf.org/ovf/envelope/1"}
    root = ET.fromstring(content["t.ovf"].decode())
    file = root.find("o:References/o:File", space)
    assert file.get(f"{{{space['o']}}}size") == str(len(content["t-disk1.vmdk"]))
    capacity = root.find("o:DiskSection/o:Disk", space).get(f"{{{space['o']}}}capacity")
    assert int(capacity) == len(outputs("raw", tmp_path / "b")[".img"])
    assert content["t-disk1.vmdk"] == outputs("vmdk", tmp_path / "c")[".vmdk"]


def test_googles_disk_has_whole_gibibytes(tmp_path: Path) -> None:
    # Only the head of it: the rest is zeros.
    _, chunks = next(iter(written("gcp", tmp_path / "a")))
    unpacker = zlib.decompressobj(31)
    head = b""
    while len(head) < 4 * MIB:
        head += unpacker.decompress(next(chunks))
    member = tarfile.TarInfo.frombuf(head[:512], "utf-8", "strict")
    assert (member.name, member.size) == ("disk.raw", 1 << 30)
    raw = outputs("raw", tmp_path / "b", Options(size=1 << 30))[".img"]
    assert raw.startswith(head[512:])


@pytest.mark.tools
def test_a_raspberry_pi_finds_what_it_needs(tmp_path: Path) -> None:
    need("mtype")
    data = outputs("rpi", tmp_path / "rpi")["-rpi.img"]
    assert struct.unpack_from("<B3xB3xII", data, 446)[1:3] == (0x0C, 2048)
    volume = tmp_path / "volume"
    volume.write_bytes(data[MIB:])
    assert run("mtype", "-i", volume, "::cmdline.txt") == "console=ttyS0\n"
    assert run("mtype", "-i", volume, "::start4.elf") == "start4.elf"
    assert "kernel=kernel\n" in run("mtype", "-i", volume, "::config.txt")
    assert run("mtype", "-i", volume, "::kernel") == "K" * 3000


def test_missing_firmware_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees = boot_loaders.components()
    without = [e for e in trees["raspberrypi"] if not e.path.endswith("start4.elf")]
    monkeypatch.setattr(boot_loaders, "components", lambda: {**trees, "raspberrypi": without})
    with pytest.raises(FinbackError, match=r"no start4\.elf, which the Raspberry Pi 4 needs") as caught:
        outputs("rpi", tmp_path)
    assert "rootfs/usr/lib/raspi-firmware" in caught.value.diagnostics[0].help
