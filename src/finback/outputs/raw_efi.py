"""A disk that UEFI firmware boots: a GUID partition table, and a unified kernel image on its only partition."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.system import Contents, System
from finback.codec import disk
from finback.codec.disk import Disk
from finback.outputs import Format, Options, Written
from finback.outputs._boot import efi_name, unified, volume
from finback.outputs._disk import FIRST, RAW, with_gpt
from finback.outputs.uki import LOADERS


def image(system: System, contents: Contents, options: Options) -> Disk:
    """The disk."""
    files = {efi_name(system): unified(system, contents, options)}
    return with_gpt(volume(files, system, first=FIRST).disk, system, options)


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix="-efi.img", role="disk", media_type=RAW, body=lambda: disk.flow(image(system, contents, options))
    )


FORMAT = Format(write=write, needs_kernel=True, streamable=True, sized=True, loaders=LOADERS)
