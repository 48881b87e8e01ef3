"""The files that are a machine's disks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from finback.backends import Disk
from finback.ground.diagnostic import error
from finback.host import child, file, folder, process
from finback.host.process import Command

QCOW2 = b"QFI\xfb"


def placed(disk: Disk, number: int, state: Path) -> Disk:
    """*disk* with an absolute path; one without a path lies in the state folder."""
    if disk.path is None:
        return replace(disk, path=state / f"disk{number or ''}.img")
    return replace(disk, path=Path(disk.path).absolute())


def make(disk: Disk) -> None:
    """Make the file of *disk*, where there is none.

    Raises:
        FinbackError: F528, it can't be made, or what is there may not be what it seems.

    """
    assert disk.path is not None
    path = Path(disk.path)
    if path.exists():
        if disk.format:
            return
        with file.opened(path) as stream:
            if stream.read(4) == QCOW2:
                # Guessing would let a guest turn its raw disk into one that names files of the host.
                raise error("F528", f"{path} looks like a qcow2 image", help="say which: format=qcow2 or format=raw")
        return
    if disk.size is None:
        raise error("F528", f"there is no disk {path}", help=f"give its size to make it: --disk {path},size=1G")
    if disk.format in ("", "raw"):
        with file.writing(path) as out:
            out.truncate(disk.size)
        return
    if process.find("qemu-img") is None:
        raise error("F528", f"a {disk.format} disk is made by qemu-img, which is missing", help="leave the format out")
    with folder.placed(path) as temporary:
        argv = ("qemu-img", "create", "-q", "-f", disk.format, str(temporary), str(disk.size))
        if not child.runs(Command(argv=argv), 60, 0):
            raise error("F528", f"qemu-img did not make a disk of format {disk.format}", help="use qcow2 or raw")
