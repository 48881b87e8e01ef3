"""What `disks` promises, and what faults do to it: machines that are started again and again with the same disk."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

SYSTEMS = Path(__file__).parent / "systems"
MIB = 1 << 20
# Where finback's mark lies on a disk.
MARK = 64 << 10
SECONDS = 150

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.xdist_group("boot"),
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
]


@dataclass
class Guest:
    """A system that was built, beside its disks."""

    folder: Path
    name: str

    @property
    def state(self) -> Path:
        return self.folder / "s/finback/machines" / self.name

    def finback(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "finback", *arguments],
            cwd=self.folder,
            env={**os.environ, "XDG_STATE_HOME": str(self.folder / "s")},
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def start(self, *disks: str, options: tuple[str, ...] = ()) -> None:
        words = [w for d in disks for w in ("--disk", d)]
        started = self.finback("run", "--detach", "--accel", "tcg", "--mem", "384", *words, *options, self.name)
        assert started.returncode == 0, started.stderr

    def console(self) -> str:
        return (self.state / "console.log").read_text(errors="replace")

    def until(self, text: str, seconds: float = SECONDS) -> str:
        """The console, once it has shown *text*, a regular expression."""
        limit = time.monotonic() + seconds
        while not re.search(text, self.console()):
            assert time.monotonic() < limit, f"no {text!r} in\n{self.console()[-3000:]}"
            time.sleep(0.1)
        return self.console()

    def asked(self, script: str, seconds: float = SECONDS) -> str:
        """What *script* prints in the machine itself, once it succeeds."""
        limit = time.monotonic() + seconds
        while True:
            done = self.finback("shell", self.name, given=script)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < limit, done.stdout + done.stderr + self.console()[-3000:]
            time.sleep(0.5)

    def stop(self) -> None:
        assert "has stopped" in self.finback("stop", self.name, "--timeout", "90").stderr

    def cut(self) -> None:
        """A power cut."""
        os.kill(int((self.state / "pid").read_text()), signal.SIGKILL)
        limit = time.monotonic() + 10
        while self.finback("status", self.name).returncode == 0:
            assert time.monotonic() < limit
            time.sleep(0.1)

    def boot(self, *disks: str, script: str, options: tuple[str, ...] = ()) -> str:
        """What *script* prints in a boot from its start to its orderly end."""
        self.start(*disks, options=options)
        try:
            return self.asked(script)
        finally:
            self.stop()


Maker = Callable[[str, str], Guest]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    def made(name: str, text: str) -> Guest:
        (tmp_path / f"{name}.yml").write_text(text)
        guest = Guest(tmp_path, name)
        built = guest.finback("build", f"{name}.yml")
        assert built.returncode == 0, built.stderr
        return guest

    return made


HEAD = "kernel: {image: finback/kernel, cmdline: console=ttyS0}\ninit: [finback/init]\n"


def test_a_disk_and_its_volumes(tmp_path: Path) -> None:
    shutil.copy(SYSTEMS / "disks.yml", tmp_path)
    done = Guest(tmp_path, "disks").finback("test", "--accel", "tcg", "disks.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 hold" in done.stdout


@pytest.mark.slow
def test_data_outlives_the_machine_and_grows_with_the_disk(make: Maker) -> None:
    guest = make("disks", (SYSTEMS / "disks.yml").read_text())
    look = "cat /var/lib/data/volumes/fresh/starts && df -m /var/lib/data | tail -n 1 | awk '{ print $2 }'"
    said = guest.boot("d.img,size=64M", script=f"[ -s /var/lib/data/volumes/fresh/starts ] && {look}").split()
    assert said[:-1] == ["started"]
    assert 40 < int(said[-1]) < 64
    assert (guest.folder / "d.img").read_bytes()[MARK:].startswith(b"finback disk data done\n")
    os.truncate(guest.folder / "d.img", 128 * MIB)
    said = guest.boot("d.img", script=f"[ $(wc -l </var/lib/data/volumes/fresh/starts) -eq 2 ] && {look}").split()
    assert said[:-1] == ["started", "started"]
    assert 100 < int(said[-1]) < 128
    assert "making" not in guest.console()
