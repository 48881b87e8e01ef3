"""Each format, of a system of 400 MB that does not shrink, beside copying what it wrote.

What formats share is made before: components, segments of the initrd.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

from bench.measure import FINBACK, ROOT, once, peak, row
from finback.outputs import FORMATS

SIZE = 400 << 20
# Its firmware is none of Debian's.
APART = {"rpi"}
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
        once(*common, "-f", "raw,raw-bios,iso-bios,netboot", "large.yml", cwd=folder)
        for form, declared in FORMATS:
            if form in APART or "amd64" not in (declared.loaders or {"amd64": ()}):
                row(form, "-", "is not for this architecture")
                continue
            shutil.rmtree(folder / "out", ignore_errors=True)
            taken = once(*common, "-f", form, "--dir", "out", "large.yml", cwd=folder)
            size = sum(p.stat().st_size for p in (folder / "out").iterdir())
            copied = once("cp", "-r", "--sparse=auto", "out", "copy", cwd=folder)
            shutil.rmtree(folder / "copy")
            row(form, f"{taken:.2f} s", f"{size / 1e6:.0f} MB, copied in {copied:.2f} s")
        row("memory", f"{peak(*common, '-f', 'qcow2', 'large.yml', cwd=folder):.0f} MiB", "qcow2")
