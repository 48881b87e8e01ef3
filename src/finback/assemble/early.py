"""The small initrd for a root on a disk, where the kernel has what it needs for that as modules.

It holds the modules, a shell and the script that the init image brings, and nothing of the system: the kernel mounts
the root from the disk. Where everything is built in there is no such initrd.

Source: modules.dep(5), modules.builtin(5); docs/decisions/0010-read-only-roots.md.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from finback.assemble.own_files import with_parents
from finback.ground.diagnostic import error
from finback.ground.source import Span
from finback.tree.content import Reader
from finback.tree.entry import AnyEntry, File, HardLink, Symlink

SHELL = "usr/bin/busybox"
SCRIPT = "usr/lib/finback/mount-root"
TREE = re.compile(r"((?:usr/)?lib/modules/[^/]+)/modules\.(?:dep|builtin)")
INDEXES = ("modules.dep", "modules.alias", "modules.softdep", "modules.builtin", "modules.builtin.modinfo")
# What disks hang on. A machine has one or two of them; which ones is known only there.
DISKS = (
    "virtio_blk", "virtio_scsi", "virtio_pci", "virtio_mmio", "nvme", "ahci", "ata_piix", "sd_mod", "sr_mod",
    "xen_blkfront", "hv_storvsc", "vmw_pvscsi", "mptspi", "megaraid_sas", "mmc_block", "dasd_eckd_mod",
    "usb_storage", "uas",
)  # fmt: skip
# A kernel that has these as modules may be started where it can't reach its root.
COMMON = ("virtio_blk", "nvme", "sd_mod")
INDEX_LIMIT = 16 << 20


def early(tree: Iterable[AnyEntry], filesystem: str, read: Reader, span: Span | None) -> list[AnyEntry]:
    """The entries of the initrd for a root of *filesystem* that holds *tree*; none when the kernel needs none.

    Raises:
        FinbackError: F165, the kernel can't mount such a root; F166, the init image lacks what the initrd needs.

    """
    files = {e.path: e for e in tree if isinstance(e, (File, HardLink))}
    folders = sorted({m[1] for m in map(TREE.fullmatch, files) if m})
    wanted: list[AnyEntry] = []
    for folder in folders:
        depends = _depends(_text(files, f"{folder}/modules.dep", read))
        built_in = {_name(line) for line in _text(files, f"{folder}/modules.builtin", read).split()}
        if filesystem not in depends and filesystem not in built_in:
            raise error(
                "F165",
                f"the kernel has no driver for {filesystem}, which its root would be",
                span,
                help=f"use a kernel with {filesystem}, such as finback/kernel, or the format kernel+initrd",
            )
        if {filesystem, *COMMON} & depends.keys():
            before = _before(_text(files, f"{folder}/modules.softdep", read))
            chosen = _closed((filesystem, *DISKS), before)
            paths = dict.fromkeys(p for n in chosen for p in depends.get(n, ()))
            wanted += _moved(files, folder, (*paths, *INDEXES))
    return with_parents([*wanted, *_programs(files, span)], set(), 0) if wanted else []


def _programs(files: Mapping[str, File | HardLink], span: Span | None) -> Iterator[AnyEntry]:
    shell, script = _file(files, SHELL), _file(files, SCRIPT)
    if shell is None or script is None:
        missing = SHELL if shell is None else SCRIPT
        raise error(
            "F166",
            f"the kernel has the drivers for its root as modules, and no init image brings /{missing} to load them",
            span,
            help="add finback/init to `init:`, use a kernel with these drivers built in, or kernel+initrd",
        )
    yield replace(shell, path=SHELL)
    yield replace(script, path="init")
    yield Symlink(path="bin", target="usr/bin")
    yield Symlink(path="usr/bin/sh", target="busybox")


def _moved(files: Mapping[str, File | HardLink], folder: str, names: Iterable[str]) -> Iterator[AnyEntry]:
    """What *names* below *folder* are, below lib/modules."""
    for name in names:
        found = _file(files, f"{folder}/{name}")
        if found is not None:
            yield replace(found, path=f"lib/modules/{posixpath.basename(folder)}/{name}")


def _file(files: Mapping[str, File | HardLink], path: str) -> File | None:
    found = files.get(path)
    if isinstance(found, HardLink):
        found = files.get(found.target)
    return found if isinstance(found, File) else None


def _text(files: Mapping[str, File | HardLink], path: str, read: Reader) -> str:
    found = _file(files, path)
    if found is None or found.content.size > INDEX_LIMIT:
        return ""
    return b"".join(read(found.content)).decode("utf-8", "replace")


def _depends(text: str) -> dict[str, tuple[str, ...]]:
    """The path of each module and of what it depends on, by the module's name."""
    out = {}
    for line in text.splitlines():
        path, colon, rest = line.partition(":")
        if colon:
            out[_name(path)] = (path, *rest.split())
    return out


def _before(text: str) -> dict[str, list[str]]:
    """Which modules a soft dependency wants before others, by their names (modprobe.d(5))."""
    out: dict[str, list[str]] = {}
    for line in text.splitlines():
        found = re.fullmatch(r"softdep (\S+) .*?pre:(.*?)(?:post:.*)?", line)
        if found:
            out.setdefault(_name(found[1]), []).extend(_name(n) for n in found[2].split())
    return out


def _closed(names: Iterable[str], before: Mapping[str, list[str]]) -> list[str]:
    """*names* and what is wanted before them."""
    out: list[str] = []
    waiting = list(names)
    while waiting:
        name = waiting.pop(0)
        if name not in out:
            out.append(name)
            waiting += before.get(name, ())
    return out


def _name(path: str) -> str:
    return re.sub(r"\.ko(\.\w+)?$", "", posixpath.basename(path)).replace("-", "_")
