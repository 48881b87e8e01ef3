"""Pull of an image of 40 layers and 1 GB from a registry on loopback, beside skopeo into an OCI layout."""

from __future__ import annotations

import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.measure import ENVIRONMENT, FINBACK, row
from finback.host.store import Store
from finback.oci import image

LAYERS = 40
SIZE = 25_000_000
PULLS = 5


def main() -> None:
    """Print the figures."""
    missing = [p for p in ("docker-registry", "skopeo") if not shutil.which(p)]
    if missing:
        row("pull of 1 GB", "-", f"not measured: there is no {' and no '.join(missing)}")
        return
    with tempfile.TemporaryDirectory(prefix="finback-bench.") as name:
        folder = Path(name)
        port = _free_port()
        with _registry(folder, port) as running:
            try:
                _measure(folder, f"127.0.0.1:{port}/bench:1")
            finally:
                running.kill()


def _measure(folder: Path, name: str) -> None:
    store = Store(folder / "source")
    layers = [store.put(os.urandom(SIZE)) for _ in range(LAYERS)]
    digest = image.write(store, layers, {"os": "linux", "architecture": "amd64"})
    store.tag("bench", {"mediaType": image.MANIFEST, "digest": str(digest), "size": store.size(digest)})
    skopeo = ["skopeo", "--insecure-policy", "copy", "--preserve-digests"]
    _run(*skopeo, "--dest-tls-verify=false", f"oci:{folder / 'source'}:bench", f"docker://{name}")
    shutil.rmtree(folder / "source")
    finback = [*FINBACK, "--insecure", f"http://{name.partition('/')[0]}"]
    taken: dict[str, list[float]] = {"finback": [], "skopeo": []}
    memory = dict.fromkeys(taken, 0.0)
    for _ in range(PULLS):
        for who, command in {
            "finback": [*finback, "--cache", str(folder / "out"), "cache", "pull", "--arch", "amd64", name],
            "skopeo": [*skopeo, "--src-tls-verify=false", f"docker://{name}", f"oci:{folder / 'out'}:bench"],
        }.items():
            seconds, megabytes = _run(*command)
            taken[who].append(seconds)
            memory[who] = max(memory[who], megabytes)
            shutil.rmtree(folder / "out")
            # What was written and removed should not burden the other.
            os.sync()
    ours, theirs = (statistics.median(t) for t in taken.values())
    row("pull of 1 GB", f"{ours:.2f} s", f"{LAYERS} layers; skopeo {theirs:.2f} s, ratio {ours / theirs:.2f}")
    row("memory", f"{memory['finback']:.0f} MB", f"skopeo {memory['skopeo']:.0f} MB")


def _run(*command: str) -> tuple[float, float]:
    """Seconds and megabytes that a command takes."""
    began, most = time.perf_counter(), 0
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, env=ENVIRONMENT)
        while child.poll() is None:
            # What wait4 says of memory counts the process that it was forked from.
            with suppress(OSError, IndexError):
                status = Path(f"/proc/{child.pid}/status").read_text()
                most = max(most, int(status.partition("VmHWM:")[2].split()[0]))
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"{command[0]}: {said.read().decode(errors='replace')}")
    return seconds, most / 1024


def _registry(folder: Path, port: int) -> subprocess.Popen[bytes]:
    config = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    running = subprocess.Popen(
        ["docker-registry", "serve", str(folder / "config.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return running
        time.sleep(0.05)
    running.kill()
    raise SystemExit("docker-registry does not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
