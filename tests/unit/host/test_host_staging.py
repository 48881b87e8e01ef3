"""Files that appear together, and what killed processes leave."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finback.ground.diagnostic import FinbackError
from finback.host import beside, file

NAMES = ("web-kernel", "web-initrd.img", "web-cmdline")
WRITER = """
import sys, time
from pathlib import Path
from finback.host import file
with file.staging() as stage:
    with stage.writing(Path(sys.argv[1])) as out:
        out.write(b"half")
        out.flush()
        print("writing", flush=True)
        time.sleep(100)
"""


def hidden(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


def stage_all(folder: Path, text: bytes) -> None:
    with file.staging() as stage:
        for name in NAMES:
            with stage.writing(folder / name) as out:
                out.write(text)
        stage.publish()


def state(folder: Path) -> set[bytes]:
    return {(folder / n).read_bytes() for n in NAMES if (folder / n).exists()}


def test_what_fails_leaves_all_as_it_was(tmp_path: Path) -> None:
    stage_all(tmp_path, b"old")
    with pytest.raises(ZeroDivisionError), file.staging() as stage:  # noqa: PT012 - the block is what is tested
        with stage.writing(tmp_path / NAMES[0]) as out:
            out.write(b"new")
        raise ZeroDivisionError
    assert state(tmp_path) == {b"old"}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_target_that_is_a_folder_leaves_all_as_it_was(tmp_path: Path) -> None:
    stage_all(tmp_path, b"old")
    (tmp_path / NAMES[2]).unlink()
    (tmp_path / NAMES[2]).mkdir()
    with pytest.raises(FinbackError, match="Is a directory"):
        stage_all(tmp_path, b"new")
    assert {(tmp_path / n).read_bytes() for n in NAMES[:2]} == {b"old"}
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("number", range(6))
def test_a_rename_that_fails_is_undone(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage_all(tmp_path, b"old")
    calls = 0
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == number + 1:
            raise OSError(errno.EIO, "Input/output error", str(self), None, str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(FinbackError, match="Input/output error"):
        stage_all(tmp_path, b"new")
    assert state(tmp_path) == {b"old"}
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("number", range(7))
def test_a_kill_never_leaves_new_beside_old(number: int, tmp_path: Path) -> None:
    """Killed at any rename; the next writer finds no trace of it."""
    stage_all(tmp_path, b"old")
    child = os.fork()
    if not child:
        calls = 0
        rename = Path.rename

        def dies(self: Path, target: Path) -> Path:
            nonlocal calls
            calls += 1
            if calls == number + 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return rename(self, target)

        Path.rename = dies  # type: ignore[method-assign]
        stage_all(tmp_path, b"new")
        os._exit(0)
    os.waitpid(child, 0)
    assert len(state(tmp_path)) <= 1, "files of two builds stand beside each other"
    stage_all(tmp_path, b"next")
    assert state(tmp_path) == {b"next"}
    assert hidden(tmp_path) == []


def test_leavings_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    dead, living = tmp_path / "web-kernel", tmp_path / "web-initrd.img"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(p)], stdout=subprocess.PIPE, text=True)
        for p in (dead, living)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "writing\n"
        writers[0].kill()
        writers[0].wait()
        (tmp_path / ".web-cmdline.1234567.0a1b2c3d").write_bytes(b"of an older version, which had no locks")
        (tmp_path / ".webcam.1.0a1b2c3d").write_bytes(b"not of this build")
        (tmp_path / ".web-kernel.swp").write_bytes(b"not ours")
        assert len(hidden(tmp_path)) == 5
        beside.sweep(tmp_path, lambda name: name.startswith("web-"))
        left = hidden(tmp_path)
        assert [n for n in left if n.startswith(".web-initrd.img.")], "of the living"
        assert sorted(left)[1:] == [".web-kernel.swp", ".webcam.1.0a1b2c3d"]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            assert writer.stdout is not None
            writer.stdout.close()
    with file.writing(living) as out:
        out.write(b"whole")
    assert living.read_bytes() == b"whole"
    assert sorted(hidden(tmp_path)) == [".web-kernel.swp", ".webcam.1.0a1b2c3d"]


def test_two_builds_at_once_do_not_mix(tmp_path: Path) -> None:
    stage_all(tmp_path, b"old")
    children = []
    for text in (b"a" * 1000, b"b" * 1000):
        child = os.fork()
        if not child:
            for _ in range(50):
                stage_all(tmp_path, text)
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert len(state(tmp_path)) == 1
    assert hidden(tmp_path) == []


def test_a_second_name_is_the_same_file(tmp_path: Path) -> None:
    with file.staging() as stage:
        with stage.writing(tmp_path / "web-bios.qcow2") as out:
            out.write(b"disk")
        stage.copy(tmp_path / "web-bios.qcow2", tmp_path / "web.qcow2")
        stage.publish()
    assert (tmp_path / "web.qcow2").samefile(tmp_path / "web-bios.qcow2")
    # Another build replaces one name, and leaves the other.
    with file.writing(tmp_path / "web.qcow2") as out:
        out.write(b"another")
    assert (tmp_path / "web-bios.qcow2").read_bytes() == b"disk"


def test_a_link_is_followed_and_a_pipe_is_written(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere/file")
    with file.writing(tmp_path / "link") as out:
        out.write(b"x")
    assert (tmp_path / "elsewhere/file").read_bytes() == b"x"
    assert (tmp_path / "link").is_symlink()
    with file.writing(Path("/dev/null")) as out:
        out.write(b"x")
    assert not hidden(tmp_path)
