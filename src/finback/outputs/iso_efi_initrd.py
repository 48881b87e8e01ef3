"""A disc that UEFI firmware boots, with kernel and initrd as files that systemd-boot loads."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.command_line import SYSTEMD_BOOT
from finback.assemble.system import Contents, System
from finback.codec import disk
from finback.codec.disk import Disk
from finback.outputs import Format, Options, Written
from finback.outputs._boot import UEFI, parts
from finback.outputs._iso import ISO, efi_disc, loader_files


def image(system: System, contents: Contents, options: Options) -> Disk:
    """The disc."""
    return efi_disc(system, loader_files(system, contents, parts(system, contents, options)))


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix="-efi-initrd.iso", role="disc", media_type=ISO, body=lambda: disk.flow(image(system, contents, options))
    )


FORMAT = Format(write=write, needs_kernel=True, streamable=True, loaders=UEFI, ways=(SYSTEMD_BOOT,))
