"""Whether a machine has the memory to unpack its initrd, before it is started: the kernel would only panic."""

from __future__ import annotations

from pathlib import Path

from finback.assemble import memory
from finback.codec import initramfs
from finback.ground.diagnostic import error
from finback.host import file


def check(initrd: Path, mebibytes: int, cmdline: str) -> None:
    """Make sure that the kernel can unpack *initrd* in so much memory. One that can't be read is the kernel's affair.

    Raises:
        FinbackError: F533, it has not enough memory for that.

    """
    packed, limited = initrd.stat().st_size, memory.limited(cmdline)
    given = mebibytes * memory.MIB
    with file.opened(initrd) as stream:
        try:
            size = initramfs.unpacked(stream.read, max(0, given - packed) // (2 if limited else 1))
        except ValueError:
            return
    needed = memory.least(memory.Footprint(size), packed, limited=limited)
    if needed <= given:
        return
    raise error(
        "F533",
        f"{mebibytes} MiB of memory are too little: the kernel can't unpack {initrd.name}",
        help="give more: `finback build --json` states how much; or build with --format kernel+squashfs",
        notes=[f"it is {packed / memory.MIB:.1f} MiB long; what is in it may take half of the rest of the memory"],
    )
