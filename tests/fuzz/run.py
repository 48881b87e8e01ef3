"""Run the fuzz targets: `make fuzz`.

Each batch of inputs runs in a process of its own, whose memory, processor time and time for one input are bounded, so
that growth and hangs are found as well as exceptions. Inputs follow from the seed, the target and the batch's number:
a failure can be repeated. Failing inputs are written to `build/fuzz/TARGET-HASH`.

    python tests/fuzz/run.py --inputs 1000000 --seconds 600
    python tests/fuzz/run.py --target lock --inputs 50000
    python tests/fuzz/run.py --target lock build/fuzz/lock-0123456789abcdef
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import FrameType

import fuzz_targets
from fuzz_targets import TARGETS, Target

BATCH = 1000
SECONDS_PER_INPUT = 5
MEMORY = 3 << 30
GROWTH = 400 << 20
"""Bytes by which the memory of a batch may exceed that of the process that it comes from."""
FAILURES = Path("build/fuzz")


class HangError(Exception):
    """An input took too long."""


@dataclass
class Result:
    """What came of a target's batches."""

    inputs: int = 0
    seconds: float = 0.0
    faults: dict[str, str] = field(default_factory=dict)
    """Where it was raised, to the file with the input."""


def _alarm(signum: int, frame: FrameType | None) -> None:
    raise HangError(f"more than {SECONDS_PER_INPUT} s")


def batch(target: Target, seed: int, number: int, count: int) -> dict[str, str]:
    """Run *count* inputs; the faults by their place, each with the file that has the input."""
    rng = random.Random(f"{seed} {target.name} {number}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    faults: dict[str, str] = {}
    signal.signal(signal.SIGALRM, _alarm)
    for _ in range(count):
        data = target.input(rng)
        signal.setitimer(signal.ITIMER_REAL, SECONDS_PER_INPUT)
        try:
            target.check(data)
        except BaseException as failure:  # noqa: BLE001 - whatever it is, it is what we look for
            place = _place(failure)
            if place not in faults:
                faults[place] = _kept(target, data)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before
        if grown > GROWTH:
            faults.setdefault(f"grew by {grown >> 20} MiB", _kept(target, data))
            break
    return faults


def _place(failure: BaseException) -> str:
    last = traceback.extract_tb(failure.__traceback__)[-1]
    return f"{type(failure).__name__} in {Path(last.filename).name}:{last.lineno}: {str(failure)[:120]}"


def _kept(target: Target, data: bytes) -> str:
    path = FAILURES / f"{target.name}-{hashlib.sha256(data).hexdigest()[:16]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def apart(target: Target, seed: int, number: int, count: int) -> dict[str, str]:
    """A batch in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (60 + count // 5, 60 + count // 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with os.fdopen(write, "wb") as out:
            out.write(json.dumps(batch(target, seed, number, count)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    if status or not said:
        return {f"the process of batch {number} of {target.name} ended with status {status}": f"--seed {seed}"}
    found: dict[str, str] = json.loads(said)
    return found


def run(targets: list[Target], inputs: int, seconds: float, jobs: int, seed: int) -> dict[str, Result]:
    """Share *inputs* and *seconds* among *targets*: whichever has had the least time is next."""
    results = {t.name: Result() for t in targets}
    numbers = Counter[str]()
    gate, end = Lock(), time.monotonic() + seconds
    total = 0

    def worker() -> None:
        nonlocal total
        while True:
            with gate:
                if total >= inputs or time.monotonic() >= end:
                    return
                target = min(targets, key=lambda t: results[t.name].seconds)
                number = numbers[target.name]
                numbers[target.name] += 1
                count = min(BATCH, inputs - total)
                total += count
                # What it will take is guessed, so that no other worker takes the same.
                guess = results[target.name].seconds / number if number else 1.0
                results[target.name].seconds += guess
            began = time.monotonic()
            faults = apart(target, seed, number, count)
            with gate:
                found = results[target.name]
                found.inputs += count
                found.seconds += time.monotonic() - began - guess
                for place, path in faults.items():
                    found.faults.setdefault(place, path)

    with ThreadPoolExecutor(jobs) as pool:
        for job in [pool.submit(worker) for _ in range(jobs)]:
            job.result()
    return results


def main() -> int:
    """Run what the command line asks for; the exit status."""
    parser = argparse.ArgumentParser(description="Fuzz finback's parsers.")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0, help="another one gives other inputs; 0: by the time")
    parser.add_argument("--target", action="append", choices=[t.name for t in TARGETS])
    parser.add_argument("files", nargs="*", type=Path, help="inputs to repeat, with one --target")
    options = parser.parse_args()
    targets = [t for t in TARGETS if not options.target or t.name in options.target]
    fuzz_targets.scratch()
    if options.files:
        for path in options.files:
            targets[0].check(path.read_bytes())
        return 0
    seed = options.seed or int(time.time())
    results = run(targets, options.inputs, options.seconds, options.jobs, seed)
    for name, found in sorted(results.items()):
        rate = found.inputs / found.seconds if found.seconds else 0
        print(f"{name:12} {found.inputs:8} inputs {rate:8.0f}/s  {len(found.faults)} faults")
        for place, path in found.faults.items():
            print(f"    {place}\n        {path}")
    faults = sum(len(r.faults) for r in results.values())
    print(f"seed {seed}: {sum(r.inputs for r in results.values())} inputs, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
