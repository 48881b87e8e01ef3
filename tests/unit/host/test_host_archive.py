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
