"""The library of machines: the program of its page, and what it leaves behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from finback.vm import VM

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/how-to/machines.md"
CYCLES = 100

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the image `minimal`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "r"))
    shutil.copy(ROOT / "assemblies/minimal/minimal.yml", tmp_path)
    subprocess.run([sys.executable, "-m", "finback", "build", "minimal.yml"], cwd=tmp_path, check=True, timeout=300)
    return tmp_path


def program(name: str) -> str:
    return next(t for t in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if t.startswith(f"# {name}"))


def sockets(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_socket()]


def processes(folder: Path) -> list[str]:
    return subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False).stdout.split()


def test_the_program_of_the_page_and_a_controller_that_is_killed(place: Path) -> None:
    (place / "five.py").write_text(program("five.py") + "\nimport time\nprint('done', flush=True)\ntime.sleep(1000)\n")
    (place / "later.py").write_text(program("later.py"))
    with subprocess.Popen([sys.executable, "five.py"], cwd=place, stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout is not None
        said = []
        for line in controller.stdout:
            said.append(line.strip())
            if line == "done\n":
                break
        controller.kill()
    assert controller.returncode == -signal.SIGKILL
    pids = [int(line.removeprefix("running ")) for line in said if line.startswith("running")]
    assert len(pids) == 5
    for pid in pids:
        os.kill(pid, 0)
    done = subprocess.run(
        [sys.executable, "later.py"], cwd=place, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.count("stopped") == 5
    assert not sockets(place)
    assert not processes(place)


def test_a_hundred_starts_and_stops_leave_nothing(place: Path) -> None:
    vm = VM(image=place / "minimal", state=place / "vm", memory=256, accelerator="tcg")
    open_files = len(os.listdir("/proc/self/fd"))
    for number in range(CYCLES):
        vm.start()
        assert vm.alive
        pid = vm.pid
        # Most are ended while they boot, the first and one more in order: to wait for a boot takes long.
        if number % 50 == 0:
            vm.wait_until_up(300)
            assert vm.stop(120) == "stopped"
        else:
            assert vm.stop(0) == "ended"
        assert not vm.alive
        # Not even a zombie: this process is its parent.
        assert not Path(f"/proc/{pid}").exists()
        assert not sockets(place)
    assert not processes(place)
    assert len(os.listdir("/proc/self/fd")) == open_files
