"""How much memory a machine needs for an initrd.

The kernel unpacks it into a tmpfs that may take half of what is free then, when the archive itself is still in memory;
with `root=` on the command line it is a ramfs, which has no limit but the memory. Each file takes whole pages.

Source: the kernel's init/do_mounts.c, init_rootfs; mm/shmem.c, shmem_default_max_blocks; init/initramfs.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from finback.assemble.system import Contents, ImagePart, System
from finback.ground import canonical
from finback.host.store import Store
from finback.tree.entry import AnyEntry, File

PAGE = 4096
MIB = 1 << 20
# The kernel's code and tables, the memory map aside, and the first programs.
ALLOWANCE = 64 * MIB
# The memory map: 64 bytes for each page.
MAP = 64
STEP = 16 * MIB
# Raised whenever the same image would be counted in another way.
VERSION = 1


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a tree takes in a tmpfs."""

    bytes: int = 0
    entries: int = 0

    def __add__(self, other: Footprint) -> Footprint:
        return Footprint(self.bytes + other.bytes, self.entries + other.entries)


def of_tree(entries: Iterable[AnyEntry]) -> Footprint:
    """What *entries* take."""
    pages = count = 0
    for entry in entries:
        count += 1
        if isinstance(entry, File):
            pages += -(-entry.content.size // PAGE)
    return Footprint(pages * PAGE, count)


def of_system(system: System, store: Store, contents: Contents) -> Footprint:
    """What the root of *system* takes. What an image takes is remembered."""
    total = Footprint()
    for part in system.parts:
        total += _of_image(part, system, store, contents) if isinstance(part, ImagePart) else of_tree(part.entries)
    return total


def least(tree: Footprint, initrd: int, *, limited: bool) -> int:
    """Bytes of memory below which no kernel unpacks *tree* from an initrd of so many bytes; *limited*: to a tmpfs."""
    # A tmpfs has an inode for every two pages of memory.
    needed = max(2 * tree.bytes, 2 * PAGE * tree.entries) if limited else tree.bytes
    return needed + initrd


def stated(tree: Footprint, initrd: int, kernel: int, *, limited: bool) -> int:
    """Bytes of memory with which a system boots, as its artifacts state it; services may need more."""
    needed = (least(tree, initrd, limited=limited) + kernel + ALLOWANCE) * MAP // (MAP - 1)
    return -(-needed // STEP) * STEP


def limited(cmdline: str) -> bool:
    """Whether the kernel unpacks to a tmpfs."""
    return re.search(r"(^|\s)root=", cmdline) is None


def _of_image(part: ImagePart, system: System, store: Store, contents: Contents) -> Footprint:
    kernel = system.plan.kernel
    rest = [kernel.tar, kernel.tar_required] if kernel is not None and part.flavour == "kernel" else []
    key = canonical.digest(["footprint", VERSION, str(part.image), part.flavour, *rest])
    kept = store.recall(key, lambda value: Footprint(*map(int, value)))
    if kept is not None:
        return kept
    found = of_tree(contents.entries(part))
    store.remember(key, [found.bytes, found.entries])
    return found
