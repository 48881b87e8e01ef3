"""Each format with a boot loader, of a system of 400 MB that does not shrink, beside copying its bytes."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from bench.measure import FINBACK, ROOT, once, peak, row
from finback.outputs import FORMATS

SIZE = 400 << 20
FILES = "files:\n  - path: var/large\n    source: large\n"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spec = (ROOT / "assemblies/minimal/minimal.yml").read_text()
        (folder / "large.yml").write_text(spec + FILES)
        noise = random.Random(1).randbytes
        (folder / "large").write_bytes(b"".join(noise(1 << 20) for _ in range(SIZE >> 20)))
        common = (*FINBACK, "build", "--arch", "amd64", "--compression", "none")
        once(*common, "-f", "raw,raw-bios", "large.yml", cwd=folder)
        plain = once(*common, "-f", "kernel+initrd", "large.yml", cwd=folder)
        row("kernel+initrd", f"{plain:.2f} s")
        copied = once("cp", "large.img", "copy", cwd=folder)
        row("cp", f"{copied:.2f} s", f"of the disk of raw, {(folder / 'large.img').stat().st_size / 1e6:.0f} MB")
        for form, declared in FORMATS:
            if declared.loaders is None or "amd64" not in declared.loaders:
                continue
            build = (*common, "-f", form, "--dir", f"out-{form}", "large.yml")
            taken = once(*build, cwd=folder)
            (made,) = (folder / f"out-{form}").iterdir()
            remark = f"{made.stat().st_size / 1e6:.0f} MB, {taken - plain:+.2f} s over kernel+initrd"
            row(form, f"{taken:.2f} s", remark)
            shutil.rmtree(folder / f"out-{form}")
        row("memory", f"{peak(*common, '-f', 'qcow2', 'large.yml', cwd=folder):.0f} MiB", "qcow2")
