"""Start-up, checking, first build, rebuild, conversion; sizes and memory."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from bench.measure import FINBACK, ROOT, once, peak, row, seconds


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for assembly in ("talk", "minimal"):
            shutil.copy(ROOT / f"assemblies/{assembly}/{assembly}.yml", folder)
        bare = seconds(sys.executable, "-c", "pass", cwd=folder)
        version = seconds(*FINBACK, "version", cwd=folder)
        row("version", f"{version * 1000:.0f} ms", f"{(version - bare) * 1000:+.0f} ms over a bare interpreter")
        row("checking a spec", f"{seconds(*FINBACK, 'build', '--dry-run', 'talk.yml', cwd=folder) * 1000:.0f} ms")
        _builds(folder)


def _builds(folder: Path) -> None:
    cold = folder / "cold"
    build = (*FINBACK, "--cache", cold, "build", "talk.yml")
    row("first build", f"{once(*build, cwd=folder):.2f} s", "from Debian's archive")
    again = seconds(*build, cwd=folder)
    size = sum(p.stat().st_size for p in folder.glob("talk-*")) / 1e6
    copy = seconds("cp", "talk-initrd.img", "talk-kernel", cold, cwd=folder)
    row("rebuild", f"{again:.2f} s", f"{size:.0f} MB; cp of it {copy:.3f} s, ratio {again / copy:.1f}")
    spec = (folder / "talk.yml").read_text()

    def change(run: int) -> None:
        (folder / "talk.yml").write_text(spec.replace("page_poison=1", f"page_poison=1 bench={run}"))

    row("rebuild, changed", f"{seconds(*build, cwd=folder, before=change):.2f} s", "another command line each time")
    _convert(folder, cold)
    fresh = peak(*FINBACK, "--cache", folder / "fresh", "build", "talk.yml", cwd=folder)
    row("memory", f"{fresh:.0f} MiB", "the first build's peak")
    once(*FINBACK, "--cache", cold, "build", "minimal.yml", cwd=folder)
    row("minimal", f"{sum(p.stat().st_size for p in folder.glob('minimal-*')) / 1e6:.1f} MB", "kernel and initrd")


def _convert(folder: Path, store: Path) -> None:
    """Convert every image again: the actions are forgotten, the images are there."""
    once(*FINBACK, "--cache", store, "build", "-f", "tar", "talk.yml", cwd=folder)
    content = (folder / "talk.tar").stat().st_size / 1e6
    build = (*FINBACK, "--cache", store, "build", "talk.yml")
    once(*build, cwd=folder)
    warm = seconds(*build, cwd=folder)

    def forget(run: int) -> None:
        del run
        for action in (store / "actions").iterdir():
            if b'"lost"' in action.read_bytes():
                action.unlink()

    taken = seconds(*build, cwd=folder, before=forget) - warm
    row("converting", f"{content / taken:.0f} MB/s", f"{content:.0f} MB of content at zstd's default level")
