from __future__ import annotations

import subprocess
import sys

import pytest

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
