"""Folders that `files` copies: what comes into every format, what the lock pins, what is refused."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from finback.app import host_files
from finback.app.build import build
from finback.app.output import Target
from finback.app.planning import Inputs, make_plan
from finback.app.settings import Settings
from finback.app.workspace import Workspace
from finback.assemble.system import Compression
from finback.codec import cpio
from finback.ground.diagnostic import FinbackError
from finback.ground.event import silent
from finback.tree.entry import Directory, File, Symlink

SPEC = "files:\n  - {path: srv/www, source: www, uid: 33, gid: 34%s}\n  - {path: srv/www/more, contents: x}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a spec, and a folder `www` beside it."""
    top = tmp_path / "www"
    (top / "empty").mkdir(parents=True)
    (top / "sub").mkdir()
    (top / "index.html").write_text("hello")
    (top / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (top / "index.html").chmod(0o640)
    (top / "sub" / "run.sh").chmod(0o755)
    for path in (top / "empty", top / "sub"):
        path.chmod(0o751)
    top.chmod(0o755)
    (top / "current").symlink_to("index.html")
    (top / "sub" / "out").symlink_to("/etc")
    (tmp_path / "t.yml").write_text(SPEC % "")
    return tmp_path


def workspace(folder: Path) -> Workspace:
    return Workspace(emit=silent, settings=Settings(), cache=folder / "store")


def inputs(folder: Path, *, frozen: bool = False) -> Inputs:
    return Inputs(files=(str(folder / "t.yml"),), frozen=frozen)


def built(folder: Path, name: str) -> bytes:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    plain = Compression("none") if name == "kernel+initrd" else None
    made = build(inputs(folder), Target(formats=(name,), folder=out, compression=plain), workspace(folder))
    return made[0].path.read_bytes()


def opened(folder: Path) -> tarfile.TarFile:
    return tarfile.TarFile(fileobj=io.BytesIO(built(folder, "tar")))


def codes(folder: Path, *, frozen: bool = False) -> list[str]:
    with pytest.raises(FinbackError) as failure:
        make_plan(inputs(folder, frozen=frozen), workspace(folder))
    return [d.code for d in failure.value.diagnostics]


def test_a_folder_is_copied_with_modes_and_links(folder: Path) -> None:
    archive = opened(folder)
    found = {m.name.rstrip("/"): m for m in archive if m.name.startswith("srv")}
    assert {n: (oct(m.mode), m.uid, m.gid, m.linkname) for n, m in found.items() if n != "srv"} == {
        "srv/www": ("0o755", 33, 34, ""),
        "srv/www/current": ("0o777", 33, 34, "index.html"),
        "srv/www/empty": ("0o751", 33, 34, ""),
        "srv/www/index.html": ("0o640", 33, 34, ""),
        "srv/www/more": ("0o600", 0, 0, ""),
        "srv/www/sub": ("0o751", 33, 34, ""),
        "srv/www/sub/out": ("0o777", 33, 34, "/etc"),
        "srv/www/sub/run.sh": ("0o755", 33, 34, ""),
    }
    held = archive.extractfile("srv/www/index.html")
    assert held is not None
    assert held.read() == b"hello"


def test_the_folders_own_mode_can_be_given(folder: Path) -> None:
    (folder / "t.yml").write_text(SPEC % ', mode: "0700"')
    plan, _ = make_plan(inputs(folder), workspace(folder))
    assert [f.mode for f in plan.files if f.path in ("srv/www", "srv/www/sub")] == [0o700, 0o751]


def test_every_format_has_the_same_tree(folder: Path) -> None:
    in_tar = {m.name.rstrip("/"): (m.mode, m.linkname) for m in opened(folder) if m.name.startswith("srv")}
    data = built(folder, "kernel+initrd")
    entries = {p: e for p, e in {e.path: e for e in cpio.decode(data)}.items() if p.startswith("srv")}
    assert {p: (e.mode, e.target if isinstance(e, Symlink) else "") for p, e in entries.items()} == in_tar
    assert isinstance(entries["srv/www/sub"], Directory)
    assert isinstance(entries["srv/www/more"], File)


@pytest.mark.parametrize("change", ["content", "mode", "link", "new", "gone"])
def test_the_lock_pins_all_of_it(folder: Path, change: str) -> None:
    make_plan(inputs(folder), workspace(folder))
    make_plan(inputs(folder, frozen=True), workspace(folder))
    top = folder / "www"
    if change == "content":
        (top / "index.html").write_text("hallo")
    elif change == "mode":
        (top / "index.html").chmod(0o600)
    elif change == "link":
        (top / "current").unlink()
        (top / "current").symlink_to("sub")
    elif change == "new":
        (top / "empty" / "file").touch()
    else:
        (top / "sub" / "run.sh").unlink()
    assert codes(folder, frozen=True) == ["F603"]


def test_what_has_no_content_is_not_copied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(folder / "www" / "pipe")
    assert codes(folder) == ["F136"]
    (folder / "www" / "pipe").unlink()
    monkeypatch.chdir(folder / "www")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        assert codes(folder) == ["F136"]
    (folder / "www" / "socket").unlink()
    monkeypatch.setattr(host_files, "MOST_ENTRIES", 3)
    assert codes(folder) == ["F136"]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (os.mkfifo, "F136"),
        (lambda p: p.symlink_to("/dev/zero"), "F136"),
        (lambda p: p.symlink_to("/dev/null"), "F136"),
        (lambda p: os.truncate(p, host_files.LIMIT + 1), "F411"),
        (lambda p: p.unlink(), "F022"),
        (lambda p: (p.unlink(), p.symlink_to(p.name)), "F022"),
    ],
    ids=["pipe", "device", "empty device", "too large", "absent", "circle"],
)
def test_a_file_that_can_not_be_copied_has_a_line(folder: Path, make: Callable[[Path], object], code: str) -> None:
    (folder / "t.yml").write_text("files:\n  - {path: srv/a, contents: a}\n  - {path: srv/x, source: x}\n")
    if code != "F136":
        (folder / "x").touch()
    make(folder / "x")
    with pytest.raises(FinbackError) as failure:
        make_plan(inputs(folder), workspace(folder))
    (found,) = failure.value.diagnostics
    assert (found.code, found.span.line if found.span else None) == (code, 2)
    assert found.help


def test_contradictions_with_what_is_in_a_folder_have_a_line(folder: Path) -> None:
    (folder / "t.yml").write_text(SPEC % "" + "  - {path: srv/www/index.html/x, contents: y}\n")
    for name in ("tar", "kernel+initrd", "docker", "kernel+squashfs"):
        with pytest.raises(FinbackError) as failure:
            built(folder, name)
        (found,) = failure.value.diagnostics
        assert (found.code, found.span.line if found.span else None) == ("F057", 3)
        assert list((folder / "out").iterdir()) == []
