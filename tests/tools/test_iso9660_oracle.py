"""Our discs, read back by xorriso, isoinfo and sgdisk."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from finback.codec import disk, iso9660
from finback.codec.iso9660 import Boot, Hybrid, Volume
from finback.tree.content import Hole, Inline, read_inline
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Symlink

pytestmark = pytest.mark.tools
xorriso_there = pytest.mark.skipif(not shutil.which("xorriso"), reason="no xorriso")
isoinfo_there = pytest.mark.skipif(not shutil.which("isoinfo"), reason="no isoinfo")
ABOUT = Volume(label="TEST", epoch=1_600_000_000)
NOTHING = Boot()
KINDS = {
    Directory: stat.S_IFDIR, File: stat.S_IFREG, Symlink: stat.S_IFLNK, Fifo: stat.S_IFIFO, HardLink: stat.S_IFREG
}  # fmt: skip


def run(*command: str | Path) -> str:
    done = subprocess.run(
        command, env={**os.environ, "LC_ALL": "C.UTF-8"}, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write(path: Path, entries: list[AnyEntry], boot: Boot = NOTHING) -> Path:
    with path.open("wb") as out:
        out.writelines(disk.content(iso9660.encode(entries, ABOUT, boot=boot), read_inline))
    return path


def read_back(image: Path, target: Path, names: str = "any") -> Path:
    """What xorriso finds on the disc by the *names* of Rock Ridge, of Joliet (`norock`) or of the standard."""
    # An ordinary user can't take away read-only folders of an earlier tree, nor fill one without changing its time.
    target = Path(tempfile.mkdtemp(dir=target.parent)) / target.name
    chmod = "auto_chmod_off" if names == "any" else "auto_chmod_on"
    run(
        "xorriso", "-no_rc", "-abort_on", "SORRY", "-read_fs", names, "-osirrox", f"on:{chmod}",
        "-indev", image, "-extract", "/", target,
    )  # fmt: skip
    return target


def listed(image: Path) -> dict[str, list[str]]:
    """Mode, links, owner, group and size or device numbers, by path, as xorriso shows them."""
    out = {}
    for line in run("xorriso", "-no_rc", "-indev", image, "-find", "/", "-exec", "lsdl").splitlines():
        mode, links, uid, gid, _, _, _, _, path = shlex.split(line)[:9]
        out[path.strip("/")] = [mode, links, uid, gid]
    return out


CHARACTERS = st.characters(exclude_characters="/\0", exclude_categories=["Cc", "Cs"])
NAME = st.text(CHARACTERS, min_size=1, max_size=60).filter(lambda n: n not in (".", ".."))
ODD = st.sampled_from(["a b", "A", "a", "a.", ".a", "a;1", "x" * 250, "ü" * 120, "tar.tar.gz", "'", '"', "\\", "*?"])
COMMON = {
    "mode": st.integers(0o400, 0o7777).map(lambda m: m | 0o400),
    "uid": st.integers(0, 2**31 - 1),
    "gid": st.integers(0, 2**31 - 1),
    "mtime": st.integers(0, 2**31 - 1),
}
STEPS = st.lists(st.one_of(NAME, st.sampled_from([".", "..", "y" * 255])), min_size=1, max_size=12)
# xorriso reads no longer ones.
TARGET = STEPS.map("/".join).filter(lambda t: len(t.encode()) < 1000)


@st.composite
def trees(draw: st.DrawFn) -> list[AnyEntry]:
    folders, taken, out = [""], {""}, list[AnyEntry]()
    for _ in range(draw(st.integers(1, 25))):
        above = draw(st.sampled_from(folders))
        path = f"{above}/{draw(st.one_of(NAME, ODD))}".lstrip("/")
        if path in taken or len(path.encode()) > 900:
            continue
        taken.add(path)
        common = {k: draw(v) for k, v in COMMON.items()}
        kind = draw(st.sampled_from("dfflsph"))
        files = [e for e in out if isinstance(e, File)]
        if kind == "d":
            folders.append(path)
            out.append(Directory(path=path, **{**common, "mode": common["mode"] | 0o700}))
        elif kind == "l":
            target = draw(st.sampled_from(["", "/"])) + draw(TARGET)
            out.append(Symlink(path=path, target=target, **{**common, "mode": 0o777}))
        elif kind == "p":
            out.append(Fifo(path=path, **common))
        elif kind == "h" and files:
            first = draw(st.sampled_from(files))
            out.append(HardLink(path=path, target=first.path, mode=first.mode, uid=first.uid, gid=first.gid))
        else:
            data = draw(st.one_of(st.binary(max_size=100), st.sampled_from([b"", b"x" * 2048, b"y" * 70000])))
            out.append(File(path=path, content=Inline(data), **common))
    return out


@xorriso_there
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees())
def test_xorriso_finds_the_tree(tmp_path: Path, entries: list[AnyEntry]) -> None:
    image = write(tmp_path / "t.iso", entries)
    found = listed(image)
    names = {e.path.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for e in entries}
    assert set(found) - {""} == names
    by_path = {e.path: e for e in entries}
    for entry in entries:
        mode, _, uid, gid = found[entry.path]
        assert mode[:10] == stat.filemode(KINDS[type(entry)] | entry.mode), entry
        assert (uid, gid) == (str(entry.uid), str(entry.gid))
    got = read_back(image, tmp_path / "tree")
    for entry in entries:
        path = got / entry.path
        if isinstance(entry, Symlink):
            # xorriso leaves out what says nothing.
            assert os.readlink(path).replace("//", "/").rstrip("/") == entry.target.replace("//", "/").rstrip("/")
        elif isinstance(entry, (File, HardLink)):
            first = by_path[entry.target] if isinstance(entry, HardLink) else entry
            assert isinstance(first, File)
            assert path.read_bytes() == b"".join(read_inline(first.content))
            assert int(path.stat().st_mtime) == first.mtime


@xorriso_there
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.one_of(NAME, ODD),
        st.tuples(st.booleans(), st.sampled_from([(0, 0), (1, 3), (8, 255), (259, 4095)]), COMMON["mode"]),
        max_size=8,
    )
)
def test_xorriso_finds_devices(tmp_path: Path, devices: dict[str, tuple[bool, tuple[int, int], int]]) -> None:
    entries: list[AnyEntry] = [
        Device(path=path, block=block, major=numbers[0], minor=numbers[1], mode=mode)
        for path, (block, numbers, mode) in devices.items()
    ]
    found = listed(write(tmp_path / "t.iso", entries))
    for path, (block, _, mode) in devices.items():
        assert found[path][0][:10] == stat.filemode((stat.S_IFBLK if block else stat.S_IFCHR) | mode)


@xorriso_there
@example([Directory(path="0"), Directory(path="00"), Directory(path="000")])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees())
def test_joliet_and_plain_names_lead_to_the_same_files(tmp_path: Path, entries: list[AnyEntry]) -> None:
    image = write(tmp_path / "t.iso", entries)
    contents = {e.path: b"".join(read_inline(e.content)) for e in entries if isinstance(e, File)}
    links = [contents[e.target] for e in entries if isinstance(e, HardLink)]
    others = sum(isinstance(e, (Symlink, Fifo)) for e in entries)
    for names, more in (("norock", 0), ("ecma119", others)):
        got = read_back(image, tmp_path / names, names)
        found = sorted(p.read_bytes() for p in got.rglob("*") if p.is_file())
        assert found == sorted([*contents.values(), *links, *[b""] * more])
        assert sum(p.is_dir() for p in got.rglob("*")) == sum(isinstance(e, Directory) for e in entries)


@isoinfo_there
def test_isoinfo_finds_the_tree_too(tmp_path: Path) -> None:
    entries: list[AnyEntry] = [
        Directory(path="d", mode=0o711),
        File(path="d/Some Name.txt", mode=0o640, uid=5, gid=6, content=Inline(b"hello")),
        Symlink(path="d/link", target="../d/Some Name.txt"),
        Device(path="null", block=False, major=1, minor=3, mode=0o666),
    ]
    image = write(tmp_path / "t.iso", entries)
    lines = run("isoinfo", "-R", "-l", "-i", image)
    assert "drwx--x--x" in lines
    assert "-rw-r-----   1    5    6               5" in lines
    assert "link -> ../d/Some Name.txt" in lines
    assert "crw-rw-rw-" in lines
    assert run("isoinfo", "-R", "-x", "/d/Some Name.txt", "-i", image) == "hello"
    assert run("isoinfo", "-J", "-x", "/d/Some Name.txt;1", "-i", image) == "hello"
    about = run("isoinfo", "-d", "-i", image)
    assert "Volume id: TEST" in about
    assert "Joliet with UCS level 3 found" in about


@xorriso_there
def test_a_hundred_thousand_names(tmp_path: Path) -> None:
    entries: list[AnyEntry] = [Directory(path=f"{i:03}") for i in range(100)]
    entries += [File(path=f"{i % 100:03}/file-{i}", content=Inline(b"%d" % (i % 7))) for i in range(100_000)]
    image = write(tmp_path / "t.iso", entries)
    lines = run("xorriso", "-no_rc", "-indev", image, "-find", "/", "-type", "f", "-exec", "echo").splitlines()
    assert len(lines) == 100_000


@xorriso_there
def test_five_gigabytes_of_nothing_and_an_end(tmp_path: Path) -> None:
    image, body = tmp_path / "t.iso", (Hole(5 << 30), Inline(b"end"))
    with image.open("wb") as out:
        for stretch in iso9660.encode([File(path="big"), File(path="c", content=Inline(b"c"))], ABOUT, {"big": body}):
            if isinstance(stretch, Hole):
                out.seek(stretch.size, os.SEEK_CUR)
            else:
                out.writelines(read_inline(stretch))
        out.truncate()
    line = run("xorriso", "-no_rc", "-indev", image, "-find", "/big", "-exec", "lsdl")
    assert str((5 << 30) + 3) in line.split()
    run("xorriso", "-no_rc", "-osirrox", "on", "-indev", image, "-extract", "/c", tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == b"c"


@xorriso_there
def test_directories_may_be_deep(tmp_path: Path) -> None:
    path = "/".join(f"level{i}" for i in range(40))
    image = write(tmp_path / "t.iso", [File(path=f"{path}/end", content=Inline(b"end"))])
    assert (read_back(image, tmp_path / "tree") / path / "end").read_bytes() == b"end"


@xorriso_there
@pytest.mark.parametrize("machines", ["bios", "efi", "both"])
def test_xorriso_and_sgdisk_find_what_boots(tmp_path: Path, machines: str) -> None:
    entries: list[AnyEntry] = [File(path="boot/b.bin", content=Inline(b"b" * 24576))]
    entries.append(File(path="boot/efi.img", content=Inline(b"e" * 3_000_000)))
    bios, efi = machines != "efi", machines != "bios"
    boot = Boot(
        bios="boot/b.bin" if bios else "",
        efi="boot/efi.img" if efi else "",
        hybrid=Hybrid(guid=UUID(int=1 << 96 | 5), code=b"\xeb\xfe" if bios else b""),
    )
    image = write(tmp_path / "t.iso", entries, boot)
    report = run("xorriso", "-no_rc", "-indev", image, "-report_el_torito", "plain")
    images = [line.split() for line in report.splitlines() if line.startswith("El Torito boot img")]
    assert [i[6] for i in images] == ["BIOS"] * bios + ["UEFI"] * efi
    assert "/boot/b.bin" in report or not bios
    assert "/boot/efi.img" in report or not efi
    if efi and shutil.which("sgdisk"):
        assert "No problems found" in run("sgdisk", "-v", image)
        shown = run("sgdisk", "-p", "-i", "1", image)
        assert "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" in shown
