from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from finback.host import child
from finback.host.process import Command

SCRIPT = """
import os, signal, sys
from finback.host.child import interruptible
try:
    with interruptible():
        os.kill(os.getpid(), signal.{first})
        signal.pause()
except KeyboardInterrupt:
    # As timeout(1) does, to the process and to its group.
    sys.exit(7)
finally:
    print("ended in order")
"""


@pytest.mark.parametrize("first", ["SIGTERM", "SIGHUP"])
def test_a_signal_is_an_interrupt(first: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(first=first)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (7, "ended in order\n")


def test_a_second_signal_does_not_disturb_the_end() -> None:
    script = SCRIPT.format(first="SIGTERM").replace(
        "    with interruptible():\n",
        "    with interruptible():\n      try:\n",
    )
    script = script.replace(
        "        signal.pause()\n",
        "        signal.pause()\n      finally:\n        os.kill(os.getpid(), 15)\n        print('cleared')\n",
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (7, "cleared\nended in order\n")


def test_who_has_started_a_process_waits_for_it(tmp_path: Path) -> None:
    pid = child.detached(Command(argv=("sh", "-c", "exit 3", "word")), tmp_path / "log")
    assert child.until(lambda: not child.is_ours(pid, "word"), 20)
    # Not even a zombie.
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="no /proc")
def test_one_process_is_reaped_when_another_is_started(tmp_path: Path) -> None:
    first = child.detached(Command(argv=("true",)), tmp_path / "first")
    state = Path(f"/proc/{first}/stat")
    assert child.until(lambda: ") Z " in state.read_text(), 20)
    second = child.detached(Command(argv=("sleep", "100")), tmp_path / "second")
    assert not state.exists()
    assert child.is_ours(second, "100")
    assert child.kill(second, "100", 20)
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_a_process_is_gone_when_its_threads_are(tmp_path: Path) -> None:
    script = (
        "import threading, time\nfor _ in range(50): threading.Thread(target=time.sleep, args=(100,)).start()\nprint(1)"
    )
    log = tmp_path / "log"
    for _ in range(5):
        pid = child.detached(Command(argv=(sys.executable, "-u", "-c", script, "word")), log)
        assert child.until(lambda: log.read_text() == "1\n", 20)
        assert child.kill(pid, "word", 20)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
