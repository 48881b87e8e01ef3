"""A disc that a BIOS boots, from a drive or from a stick: ISOLINUX, kernel and initrd."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.command_line import ISOLINUX as WAY
from finback.assemble.system import Contents, System
from finback.codec import disk
from finback.outputs import Format, Options, Written
from finback.outputs._boot import parts
from finback.outputs._iso import ISO, ISOLINUX, bios_disc


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix=".iso",
        role="disc",
        media_type=ISO,
        body=lambda: disk.flow(bios_disc(system, contents, parts(system, contents, options))),
    )


FORMAT = Format(write=write, needs_kernel=True, streamable=True, loaders={"amd64": (ISOLINUX,)}, ways=(WAY,))
