"""Kernel, initrd and command line as one program for UEFI, ready to be signed."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.command_line import UNIFIED
from finback.assemble.system import Contents, System
from finback.codec import disk
from finback.outputs import Format, Options, Written
from finback.outputs._boot import UEFI, unified

EFI_PROGRAM = "application/efi"


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix=".efi", role="uki", media_type=EFI_PROGRAM, body=lambda: disk.flow(unified(system, contents, options))
    )


FORMAT = Format(
    write=write,
    needs_kernel=True,
    streamable=True,
    loaders=UEFI,
    ways=(UNIFIED,),
)
