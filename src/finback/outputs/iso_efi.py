"""A disc that UEFI firmware boots, from a drive or from a stick: a unified kernel image on a FAT volume."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.command_line import UNIFIED
from finback.assemble.system import Contents, System
from finback.codec import disk
from finback.codec.disk import Disk
from finback.outputs import Format, Options, Written
from finback.outputs._boot import UEFI, efi_name, unified
from finback.outputs._iso import ISO, efi_disc


def image(system: System, contents: Contents, options: Options) -> Disk:
    """The disc."""
    return efi_disc(system, {efi_name(system): unified(system, contents, options)})


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix="-efi.iso", role="disc", media_type=ISO, body=lambda: disk.flow(image(system, contents, options))
    )


FORMAT = Format(write=write, needs_kernel=True, streamable=True, loaders=UEFI, ways=(UNIFIED,))
