"""From QEMU's start to the first HTTP answer, with containerd and with crun alone; and where the guest's time goes.

The guest's times are its own clock's, in seconds since its kernel started. The kernel's part ends when it starts /init.
Where the machine is busy with other things, a part of the kernel's time tells more than seconds.
"""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench.measure import FINBACK, ROOT, once, row
from finback.app.machine.timeline import Report, parse

# LinuxKit's own init and containerd with the same Debian kernel, on such a machine without KVM.
LINUXKIT = 27.8
LIMIT = 120.0


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        talk = (ROOT / "assemblies/talk/talk.yml").read_text()
        (folder / "talk.yml").write_text(talk)
        (folder / "crun.yml").write_text(
            "".join(line for line in talk.splitlines(keepends=True) if not line.endswith(("/containerd\n", "/runc\n")))
        )
        for image, words in (("talk", "with containerd"), ("crun", "with crun")):
            once(*FINBACK, "build", f"{image}.yml", cwd=folder)
            for cpus in ("1", "2"):
                taken = _boot(folder, image, cpus)
                row(
                    f"{words}, {cpus} CPU", f"{taken:.1f} s", f"to HTTP 200; LinuxKit {LINUXKIT / taken:.1f} times that"
                )
                _parts(folder / "state")
        shutil.rmtree(folder / "state")


def _parts(state: Path) -> None:
    """Where the time of the machine's boot went."""
    found = re.search(r"\[ *(\d+\.\d+)\] Run /\S+ as init process", (state / "console.log").read_text(errors="replace"))
    reports = parse((state / "events.jsonl").read_text())
    if found is None:
        row("  kernel", "?", "its console does not say when it starts /init")
        return
    kernel = float(found[1])
    init = _at(reports, "init", "init", "done")
    (first,) = [r for r in reports if (r.stage, r.event) == ("onboot", "started")][:1]
    ended = _at(reports, "onboot", first.name, "done")
    ours = ended - kernel
    ready = max(r.uptime for r in reports if r.stage == "service" and r.event in ("up", "ready"))
    row("  kernel", f"{kernel:.2f} s", "until it starts /init")
    row("  init", f"{init - kernel:.2f} s", "until the first step")
    row(
        "  first container",
        f"{ended - first.uptime:.2f} s",
        f"{ours:.2f} s on top of the kernel, init with it: {ours / kernel:.0%} of the kernel's time",
    )
    row("  all services ready", f"{ready:.2f} s", f"{ready - kernel:.2f} s on top of the kernel")


def _at(reports: tuple[Report, ...], stage: str, name: str, event: str) -> float:
    return next(r.uptime for r in reports if (r.stage, r.name, r.event) == (stage, name, event))


def _boot(folder: Path, image: str, cpus: str) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    state = str(folder / "state")
    began = time.perf_counter()
    run = ("run", "--detach", "--accel", "tcg", "--state", state, "--cpus", cpus, "--publish", f"{port}:80", image)
    once(*FINBACK, *run, cwd=folder)
    try:
        while time.perf_counter() - began < LIMIT:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
                    return time.perf_counter() - began
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise SystemExit(f"{image} did not answer within {LIMIT:.0f} s")
    finally:
        once(*FINBACK, "stop", "--state", state, "--timeout", "30", image, cwd=folder)
