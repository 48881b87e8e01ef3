"""Kernel and command line as files, and the root file system as a disc that the kernel mounts."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.command_line import MOUNTED
from finback.assemble.system import Contents, System
from finback.codec import disk, iso9660
from finback.codec.disk import Disk
from finback.codec.iso9660 import Volume
from finback.ground.diagnostic import error
from finback.outputs import Format, Options, Written
from finback.outputs._boot import boot
from finback.outputs._iso import ISO
from finback.outputs.kernel_plus_initrd import OCTETS
from finback.outputs.tar import tree
from finback.tree.content import Inline

LABEL = "LinuxKit"


def image(system: System, contents: Contents) -> Disk:
    """The disc, without the kernel's own files.

    Raises:
        FinbackError: F161, something of the root file system has no place on a disc.

    """
    entries = [p.entry for p in tree(system, contents) if p.part >= 0]
    try:
        return iso9660.encode(entries, Volume(label=LABEL, epoch=system.epoch))
    except ValueError as failure:
        raise error(
            "F161", f"the root file system does not fit on a disc: {failure}", help="choose another format"
        ) from None


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """The files that LinuxKit's format of the same name has."""
    del options
    found = boot(system)
    kernel, cmdline = (found.kernel,), (Inline(found.cmdline.encode()),)
    yield Written(suffix="-kernel", role="kernel", media_type=OCTETS, body=lambda: disk.flow(kernel))
    yield Written(suffix="-cmdline", role="cmdline", media_type="text/plain", body=lambda: disk.flow(cmdline))
    yield Written(suffix=".iso", role="rootfs", media_type=ISO, body=lambda: disk.flow(image(system, contents)))


FORMAT = Format(write=write, ways=(MOUNTED,), root="iso9660", needs_kernel=True)
