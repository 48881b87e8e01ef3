"""What the benchmarks share: running a command, timing it, its memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FINBACK = (sys.executable, "-m", "finback", "-q")
RUNS = 7
# What a user has: compiled modules beside their sources.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def once(*argv: str | Path, cwd: Path) -> float:
    """The wall time of a command in seconds."""
    began = time.perf_counter()
    subprocess.run(argv, cwd=cwd, env=ENVIRONMENT, check=True, capture_output=True)
    return time.perf_counter() - began


def seconds(*argv: str | Path, cwd: Path, before: Callable[[int], None] = lambda _: None) -> float:
    """The median wall time of a command over several runs, after one that does not count."""
    taken = []
    for run in range(RUNS + 1):
        before(run)
        taken.append(once(*argv, cwd=cwd))
    return statistics.median(taken[1:])


def peak(*argv: str | Path, cwd: Path) -> float:
    """The largest resident set of a command, in MiB."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *argv], cwd=cwd, env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    return int(done.stdout) / 1024


def row(name: str, figure: str, remark: str = "") -> None:
    """Print a line of the table."""
    print(f"  {name:<22} {figure:>12}   {remark}".rstrip(), flush=True)
