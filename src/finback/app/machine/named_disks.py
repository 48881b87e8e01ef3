"""Disks that a system's file names by the kernel's name for them, and that the machine does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from finback.backends import Disk
from finback.ground.diagnostic import FinbackError
from finback.ground.event import Emit, Noted
from finback.host import file

LIMIT = 1 << 20
# The kernel's names, the kinds of bus that give them, and the one to advise.
NAMES = (
    (re.compile(r"/dev/sd[a-z]"), ("sata", "scsi"), "sata"),
    (re.compile(r"/dev/vd[a-z]"), ("virtio",), "virtio"),
    (re.compile(r"/dev/nvme\d+n\d+"), ("nvme",), "nvme"),
)


def note_missing(texts: Iterable[str], disks: Iterable[Disk], emit: Emit) -> None:
    """Say which of the disks that *texts* name no machine with *disks* has, because of what those are attached to."""
    buses = {d.bus for d in disks}
    lines = [line for text in texts for line in text.splitlines() if not line.lstrip().startswith("#")]
    for pattern, kinds, advice in NAMES:
        found = next((m for line in lines if (m := pattern.search(line))), None)
        if found and not buses & set(kinds):
            emit(
                Noted(
                    text=f"the system names {found[0]}, but no disk of this machine is on {' or '.join(kinds)}: "
                    f"attach one with --disk PATH,size=1G,bus={advice}"
                )
            )


def file_beside(prefix: Path) -> str:
    """The text of the file that the image called *prefix* was built from, where it lies beside the image; else ""."""
    for path in (prefix.with_name(f"{prefix.name}{suffix}") for suffix in (".yml", ".yaml")):
        try:
            return file.read(path, limit=LIMIT).decode("utf-8", "replace")
        except FinbackError:
            continue
    return ""
