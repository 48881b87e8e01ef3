"""Print start-up, check, build and rebuild times beside what they can be compared with."""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 7


def seconds(*argv: str, cwd: Path, env: dict[str, str] | None = None) -> float:
    """The median wall time of a command over several runs, after one that does not count."""
    taken = []
    for run in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run(argv, cwd=cwd, env={**os.environ, **(env or {})}, check=True, capture_output=True)
        if run:
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    """Measure and print."""
    python = sys.executable
    finback = (python, "-m", "finback", "-q")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "assemblies/talk/talk.yml", folder)
        shutil.copy(ROOT / "assemblies/minimal/minimal.yml", folder)
        bare = seconds(python, "-c", "pass", cwd=folder)
        version = seconds(*finback, "version", cwd=folder)
        print(
            f"version            {version * 1000:6.0f} ms   {(version - bare) * 1000:+.0f} ms over a bare interpreter"
        )
        check = seconds(*finback, "build", "--dry-run", "talk.yml", cwd=folder)
        print(f"checking a spec    {check * 1000:6.0f} ms")
        cold = folder / "cold"
        began = time.perf_counter()
        subprocess.run(
            [*finback, "--cache", str(cold), "build", "talk.yml"], cwd=folder, check=True, capture_output=True
        )
        first = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"first build        {first:6.2f} s    from Debian's archive, {memory:.0f} MB of memory at most")
        again = seconds(*finback, "--cache", str(cold), "build", "talk.yml", cwd=folder)
        sizes = sum(p.stat().st_size for p in folder.glob("talk-*"))
        copy = seconds("cp", "talk-initrd.img", "talk-kernel", "cold/", cwd=folder)
        print(
            f"rebuild            {again:6.2f} s    {sizes / 1e6:.0f} MB written; "
            f"cp of it {copy:.2f} s, ratio {again / copy:.1f}"
        )
        spec = (folder / "talk.yml").read_text()
        taken = []
        for run in range(RUNS):
            text = spec.replace("page_poison=1", f"page_poison=1 bench={run}")
            (folder / "talk.yml").write_text(text)
            began = time.perf_counter()
            subprocess.run(
                [*finback, "--cache", str(cold), "build", "talk.yml"], cwd=folder, check=True, capture_output=True
            )
            taken.append(time.perf_counter() - began)
        print(f"rebuild, changed   {statistics.median(taken):6.2f} s    another command line each time")
        subprocess.run(
            [*finback, "--cache", str(cold), "build", "minimal.yml"], cwd=folder, check=True, capture_output=True
        )
        minimal = sum(p.stat().st_size for p in folder.glob("minimal-*"))
        print(f"minimal            {minimal / 1e6:6.1f} MB   kernel and initrd")


if __name__ == "__main__":
    main()
