"""A disk that a BIOS boots: a master boot record, SYSLINUX, kernel and initrd on its only partition."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.system import Contents, System
from finback.codec import disk
from finback.codec.disk import Disk
from finback.outputs import Format, Options, Written
from finback.outputs._boot import SYSLINUX, parts, program, syslinux_files, syslinux_volume
from finback.outputs._disk import FIRST, RAW, with_mbr

LOADERS = {"amd64": (SYSLINUX,)}


def image(system: System, contents: Contents, options: Options) -> Disk:
    """The disk."""
    files = syslinux_files(parts(system, contents, options))
    code = program(contents, SYSLINUX, "usr/lib/SYSLINUX/mbr.bin")
    return with_mbr(syslinux_volume(files, system, contents, FIRST), system, options, code)


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix="-bios.img", role="disk", media_type=RAW, body=lambda: disk.flow(image(system, contents, options))
    )


FORMAT = Format(write=write, needs_kernel=True, streamable=True, sized=True, loaders=LOADERS)
