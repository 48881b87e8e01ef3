"""Disks and file systems judged by the tools that others use on them."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finback.codec import disk, fat, gpt, qcow2, syslinux, vhd, vhdx, vmdk
from finback.host import file
from finback.tree.content import Hole, Inline, Stretch, read_inline

pytestmark = pytest.mark.tools
GUID = UUID("12345678-1234-5678-1234-567812345678")
SERIAL = 0x1234ABCD


def need(*programs: str) -> None:
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"no {program}")


def run(*argv: object) -> str:
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, (argv, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def store(path: Path, image: Iterable[Stretch | bytes]) -> Path:
    with file.writing(path) as out:
        for stretch in image:
            if isinstance(stretch, Hole):
                file.skip(out, stretch.size)
            else:
                out.write(stretch if isinstance(stretch, bytes) else b"".join(read_inline(stretch)))
    return path


# What mtools can be told on its command line, in a file name and in its output alike.
LETTERS = st.sampled_from("abcXYZ019 _-+=,;~ßéñЖ漢")
NAMES = st.text(LETTERS, min_size=1, max_size=20).filter(lambda n: n == n.strip() and n[0] not in "-~+=,;")


@st.composite
def trees(draw: st.DrawFn) -> dict[str, bytes]:
    out: dict[str, bytes] = {}
    for folder in ["", *draw(st.lists(NAMES, max_size=3, unique_by=lambda n: n.upper().lower()))]:
        taken = {p.split("/")[0].upper() for p in out}
        for name in draw(st.lists(NAMES, max_size=5, unique_by=lambda n: n.upper().lower())):
            if folder or name.upper() not in taken:
                out[f"{folder}/{name}".lstrip("/")] = draw(st.binary(max_size=30)) * draw(st.integers(0, 200))
        if folder and folder.upper() in {p.upper() for p in out if "/" not in p}:
            out = {p: c for p, c in out.items() if p.upper() != folder.upper()}
    return out


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees(), st.sampled_from([12, 16, 32]))
def test_fsck_and_mtools_agree_with_any_tree(tmp_path: Path, files: dict[str, bytes], bits: int) -> None:
    need("fsck.fat", "mcopy")
    options = fat.Settings(label="TEST", serial=SERIAL, epoch=1492533000, bits=bits)
    try:
        volume = fat.encode({p: (Inline(c),) for p, c in files.items()}, options)
    except ValueError as failure:
        # The tree's maker knows less of the case of letters than FAT does.
        assert "one name on FAT" in str(failure)  # noqa: PT017
        return
    image = store(tmp_path / "fat.img", volume.disk)
    run("fsck.fat", "-n", "-v", image)
    out = tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    if files:
        run("env", "LC_ALL=C.UTF-8", "mcopy", "-s", "-n", "-i", image, "::*", out)
    found = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert found == files


def test_fsck_accepts_a_hundred_thousand_files_and_a_large_hole(tmp_path: Path) -> None:
    need("fsck.fat")
    files: dict[str, Iterable[Stretch]] = {
        f"folder {i % 50}/a file with a long name, number {i}": (Inline(b"%d" % i),) for i in range(100_000)
    }
    # A file has less than 4 GiB on FAT; together they have more than 5.
    files["hole"] = (Hole(3 << 30), Inline(b"end"))
    files["another"] = (Inline(b"begin"), Hole(3 << 30))
    image = store(tmp_path / "fat.img", fat.encode(files, fat.Settings(serial=SERIAL)).disk)
    assert "100053 files" in run("fsck.fat", "-n", "-v", image)
    assert image.stat().st_blocks * 512 < 600 << 20


def example() -> tuple[Stretch, ...]:
    noise = random.Random(1).randbytes
    parts: tuple[Stretch, ...] = (
        Inline(b"begin".ljust(1 << 20)), Hole(700 << 20), Inline(noise(3 << 20)), Inline(bytes(1 << 20)),
        Inline((noise(50) + b"y" * 14000) * 300),
    )  # fmt: skip
    size = disk.size(parts)
    return (*parts, Hole(disk.aligned(size, 1 << 20) - size))


@pytest.mark.parametrize("form", ["qcow2", "vpc", "vpc-dynamic", "vhdx", "vmdk"])
def test_qemu_img_reads_the_same_disk(form: str, tmp_path: Path) -> None:
    need("qemu-img")
    image = example()
    made: Iterable[Stretch | bytes] = {
        "qcow2": lambda: qcow2.encode(image, read_inline),
        "vpc": lambda: vhd.fixed(image, GUID),
        "vpc-dynamic": lambda: vhd.dynamic(image, GUID),
        "vhdx": lambda: vhdx.encode(image, GUID),
        "vmdk": lambda: vmdk.encode(image, read_inline, name="disk", content_id=1),
    }[form]()
    raw, other = store(tmp_path / "raw", image), store(tmp_path / "disk", made)
    name = form.split("-", maxsplit=1)[0]
    assert "identical" in run("qemu-img", "compare", "-f", "raw", "-F", name, raw, other)
    if name != "vpc":
        assert "No errors" in run("qemu-img", "check", "-f", name, other)
    run("qemu-img", "convert", "-f", name, "-O", "raw", other, tmp_path / "back")
    assert "identical" in run("qemu-img", "compare", "-f", "raw", "-F", "raw", raw, tmp_path / "back")


def test_sgdisk_finds_no_fault(tmp_path: Path) -> None:
    need("sgdisk")
    sectors = (5 << 30) // 512
    partitions = [
        gpt.Partition(kind=gpt.ESP, guid=GUID, first=2048, sectors=4096, name="boot", attributes=gpt.LEGACY_BOOT),
        gpt.Partition(kind=gpt.LINUX, guid=UUID(int=2), first=8192, sectors=sectors - 33 - 8192, name="data"),
    ]
    head, tail = gpt.encode(partitions, sectors=sectors, guid=UUID(int=3), code=b"c" * 440)
    parts = [(0, (Inline(head),)), (sectors * 512 - len(tail), (Inline(tail),))]
    image = store(tmp_path / "disk", disk.place(parts, sectors * 512))
    assert "No problems found" in run("sgdisk", "-v", image)
    shown = run("sgdisk", "-i", "1", image)
    assert "EFI system partition" in shown
    assert "'boot'" in shown
    assert "Attribute flags: 0000000000000004" in shown


@st.composite
def layouts(draw: st.DrawFn) -> tuple[int, list[gpt.Partition]]:
    """A disk's sectors, and partitions on it with gaps between."""
    at, found = 2048, []
    for number in range(draw(st.integers(1, 20))):
        at += draw(st.sampled_from([0, 1, 7, 2048]))
        sectors = draw(st.sampled_from([1, 2, 2047, 2048, 1 << 22]))
        kind = draw(st.sampled_from([gpt.ESP, gpt.LINUX]))
        name = draw(st.text(st.characters(categories=["L", "N"], max_codepoint=0xFFFF), max_size=36))
        attributes = draw(st.sampled_from([0, gpt.LEGACY_BOOT]))
        guid = UUID(int=draw(st.integers(1, 2**64)) << 8 | number)
        found.append(gpt.Partition(kind=kind, guid=guid, first=at, sectors=sectors, name=name, attributes=attributes))
        at += sectors
    return at + draw(st.integers(0, 5000)) + gpt.TAIL, found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layouts())
def test_sgdisk_finds_any_partitions(tmp_path: Path, layout: tuple[int, list[gpt.Partition]]) -> None:
    need("sgdisk")
    sectors, partitions = layout
    head, tail = gpt.encode(partitions, sectors=sectors, guid=UUID(int=3), code=b"")
    parts = [(0, (Inline(head),)), (sectors * 512 - len(tail), (Inline(tail),))]
    image = store(tmp_path / "disk", disk.place(parts, sectors * 512))
    assert "No problems found" in run("sgdisk", "-v", image)
    for number, made in enumerate(partitions, 1):
        shown = run("env", "LC_ALL=C.UTF-8", "sgdisk", "-i", number, image)
        assert f"GUID code: {made.kind}".upper() in shown.upper()
        assert f"unique GUID: {made.guid}".upper() in shown.upper()
        assert f"First sector: {made.first} " in shown
        assert f"Last sector: {made.first + made.sectors - 1} " in shown
        assert f"Attribute flags: {made.attributes:016X}" in shown
        assert f"Partition name: '{made.name}'" in shown


def test_syslinux_is_installed_as_its_installer_does_it(tmp_path: Path) -> None:
    need("syslinux", "mkfs.fat", "mcopy")
    image = tmp_path / "fat.img"
    image.write_bytes(bytes(64 << 20))
    run("mkfs.fat", "-F", "32", "-s", "1", image)
    run("syslinux", "--install", image)
    run("mcopy", "-n", "-i", image, "::ldlinux.sys", "::ldlinux.c32", tmp_path)
    theirs = (tmp_path / "ldlinux.sys").read_bytes()
    data = image.read_bytes()
    at = data.index(theirs)
    program = shutil.which("syslinux")
    assert program
    loader = syslinux.extract(Path(program).read_bytes())
    boot, system = syslinux.installed(loader, at // 512)
    assert system == theirs
    assert loader.module == (tmp_path / "ldlinux.c32").read_bytes()
    assert boot[:11] == data[:11]
    assert boot[90:] == data[90:512]
