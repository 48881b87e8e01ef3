from __future__ import annotations

import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finback.ground.diagnostic import FinbackError
from finback.host import archive


def made(*members: tuple[str, bytes, str, bytes]) -> io.BytesIO:
    """An archive: name, type, target of a link, content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, kind, target, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mode = kind, target, len(content), 0o640
            tar.addfile(info, io.BytesIO(content))
    out.seek(0)
    return out


DIR, REG, SYM, LNK = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def test_a_tree_comes_back_as_it_went(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "ä/deep").mkdir(parents=True)
    (tree / "ä/deep/x").write_bytes(os.urandom(3_000_000))
    (tree / "run").write_text("#!/bin/sh\n")
    (tree / "run").chmod(0o751)
    (tree / "away").symlink_to("/etc/passwd")
    os.link(tree / "run", tree / "twin")
    (tree / ("n" * 200)).write_text("")
    os.utime(tree / "run", (1000, 1000))
    out = io.BytesIO()
    archive.pack(tree, "tree", out)
    out.seek(0)
    (tmp_path / "to").mkdir()
    back = archive.unpack(out, tmp_path / "to")
    assert sorted(p.relative_to(tree) for p in tree.rglob("*")) == sorted(p.relative_to(back) for p in back.rglob("*"))
    assert (back / "ä/deep/x").read_bytes() == (tree / "ä/deep/x").read_bytes()
    assert ((back / "run").stat().st_mode & 0o777, (back / "run").stat().st_mtime) == (0o751, 1000)
    assert (back / "away").readlink() == Path("/etc/passwd")
    assert (back / "run").stat().st_ino == (back / "twin").stat().st_ino


@pytest.mark.parametrize(
    "members",
    [
        [("../x", REG, "", b"x")],
        [("/x/../../y", REG, "", b"x")],
        [("a", SYM, "/tmp", b""), ("a/x", REG, "", b"x")],
        [("a", DIR, "", b""), ("a", SYM, "/", b""), ("a/x", REG, "", b"x")],
        [("a", REG, "", b"x"), ("a", REG, "", b"y")],
        [("a", LNK, "/etc/passwd", b"")],
        [("a", DIR, "", b""), ("a/s", SYM, "/etc", b""), ("a/h", LNK, "a/s", b"")],
        [("a/b", REG, "", b"x")],
        [("a", tarfile.BLKTYPE, "", b"")],
        [("a", REG, "", b""), ("b", REG, "", b"")],
        [],
    ],
)
def test_what_reaches_out_or_is_odd_is_refused(tmp_path: Path, members: list[tuple[str, bytes, str, bytes]]) -> None:
    place = tmp_path / "in"
    place.mkdir()
    with pytest.raises(FinbackError):
        archive.unpack(made(*members), place)
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def info(name: str, **attributes: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(found, key, value)
    return found


def hostile() -> dict[str, bytes]:
    """Archives that a guest may send, by what is odd about them."""
    pax = {"size": "9" * 5000, "uid": str(1 << 40), "mtime": "1e400", "GNU.sparse.major": "1"}
    found = {}
    for key, value in pax.items():
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            tar.addfile(info("a", pax_headers={key: value}))
        found[key] = out.getvalue()
    long_name = info("././@LongLink", type=tarfile.GNUTYPE_LONGNAME, size=2).tobuf(tarfile.GNU_FORMAT)
    found["long names"] = (long_name + b"a".ljust(512, b"\0")) * 2000 + info("a").tobuf()
    found["extension headers"] = info("x", type=tarfile.XHDTYPE, size=0).tobuf() * 2000 + info("a").tobuf()
    sparse = bytearray(info("a", type=tarfile.GNUTYPE_SPARSE, size=0).tobuf(tarfile.GNU_FORMAT))
    sparse[483:495] = b"%011o\0" % (1 << 31)
    sparse[148:156] = b"%06o\0 " % (sum(sparse[:148]) + sum(sparse[156:]) + 8 * 32)
    found["a sparse file of 2 GiB"] = bytes(sparse)
    return found


@pytest.mark.parametrize("what", hostile())
def test_what_a_guest_may_send(tmp_path: Path, what: str) -> None:
    place = tmp_path / "in"
    place.mkdir()
    with pytest.raises(FinbackError) as caught:
        archive.unpack(io.BytesIO(hostile()[what] + bytes(1024)), place)
    assert caught.value.diagnostics[0].code == "F542"
    assert not list(place.iterdir())


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6711, 0o7777])
def test_nothing_runs_as_its_owner_afterwards(tmp_path: Path, mode: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(info("a", type=tarfile.DIRTYPE, mode=mode))
        tar.addfile(info("a/x", mode=mode), io.BytesIO())
    out.seek(0)
    back = archive.unpack(out, tmp_path)
    assert (back / "x").stat().st_mode & 0o7000 == 0
    assert back.stat().st_mode & 0o6000 == 0
    assert (back / "x").stat().st_mode & 0o777 == mode & 0o777


def test_what_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = made(("a", REG, "", b"x" * 5000)).getvalue()
    for end in (100, 700, 3000):
        place = tmp_path / str(end)
        place.mkdir()
        with pytest.raises(FinbackError) as caught:
            archive.unpack(io.BytesIO(whole[:end]), place)
        assert caught.value.diagnostics[0].code == "F542"


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_an_archive_or_refused(data: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "in"
        place.mkdir()
        with suppress(FinbackError):
            archive.unpack(io.BytesIO(data), place)
        assert [p.name for p in Path(name).iterdir()] == ["in"]
