from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from finback.app.machine import copying, session
from finback.app.machine.running import Running
from finback.app.machine.session import Request, Sink
from finback.ground.diagnostic import FinbackError


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    """This machine's own shell stands for the guest's."""

    def execute(_: Running, request: Request, output: Sink, errors: Sink) -> int:
        source = subprocess.DEVNULL if request.source is None else request.source
        done = subprocess.run(request.words, stdin=source, capture_output=True, check=False)
        output(done.stdout)
        errors(done.stderr)
        return done.returncode

    monkeypatch.setattr(session, "execute", execute)
    return Running(name="m", uuid="u", started=0, state=tmp_path, sockets=tmp_path)


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    place = tmp_path / "guest dir"
    (place / "etc/deep").mkdir(parents=True)
    (place / "etc/deep/x").write_bytes(os.urandom(100_000))
    (place / "etc/-odd 'name'").write_text("odd")
    (place / "etc/deep/x").chmod(0o640)
    return place


def test_out_and_back_is_the_same(machine: Running, guest: Path, tmp_path: Path) -> None:
    out = copying.fetch(machine, "", f"{guest}/etc", tmp_path / "copy")
    assert out == tmp_path / "copy"
    assert (out / "deep/x").read_bytes() == (guest / "etc/deep/x").read_bytes()
    assert (out / "deep/x").stat().st_mode & 0o777 == 0o640
    copying.send(machine, "", out, f"{guest}/back")
    assert (guest / "back/-odd 'name'").read_text() == "odd"
    # Into a folder that is there, and under the name that it has.
    copying.send(machine, "", out / "-odd 'name'", f"{guest}/back/")
    copying.send(machine, "", out, str(guest))
    assert (guest / "copy/deep/x").read_bytes() == (guest / "etc/deep/x").read_bytes()
    assert copying.fetch(machine, "", f"{guest}/etc/-odd 'name'", tmp_path) == tmp_path / "-odd 'name'"
    assert not list(guest.rglob(".finback*"))
    assert not list(tmp_path.glob(".scratch*"))


def test_a_file_that_is_there_is_replaced_and_a_folder_is_not(machine: Running, guest: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    copying.fetch(machine, "", f"{guest}/etc/deep/x", tmp_path / "x")
    assert (tmp_path / "x").stat().st_size == 100_000
    (tmp_path / "etc").mkdir()
    for act in (
        lambda: copying.fetch(machine, "", f"{guest}/etc", tmp_path),
        lambda: copying.send(machine, "", tmp_path / "etc", str(guest)),
        lambda: copying.send(machine, "", tmp_path / "x", f"{guest}/none/x"),
        lambda: copying.fetch(machine, "", f"{guest}/none", tmp_path / "none"),
        lambda: copying.fetch(machine, "", "relative", tmp_path / "none"),
        lambda: copying.send(machine, "", tmp_path / "x", "relative"),
    ):
        with pytest.raises(FinbackError) as caught:
            act()
        assert caught.value.diagnostics[0].code == "F544"
    assert not (tmp_path / "none").exists()
    with pytest.raises(FinbackError):
        copying.send(machine, "", tmp_path / "nowhere", f"{guest}/")
