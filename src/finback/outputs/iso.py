"""A disc that a BIOS and UEFI firmware boot, from a drive or from a stick; without a BIOS, the disc of iso-efi."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from finback.assemble.command_line import BIOS, UNIFIED
from finback.assemble.command_line import ISOLINUX as ISOLINUX_WAY
from finback.assemble.command_line import SYSTEMD_BOOT as SYSTEMD_BOOT_WAY
from finback.assemble.system import Contents, System
from finback.codec import disk
from finback.codec.disk import Disk
from finback.outputs import Format, Options, Written, iso_efi
from finback.outputs._boot import SYSTEMD_BOOT, UEFI, parts
from finback.outputs._iso import ISO, ISOLINUX, hybrid_disc


def image(system: System, contents: Contents, options: Options) -> Disk:
    """The disc."""
    if system.platform.architecture != "amd64":
        return iso_efi.image(system, contents, options)
    return hybrid_disc(system, contents, parts(system, contents, options))


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix="-hybrid.iso", role="disc", media_type=ISO, body=lambda: disk.flow(image(system, contents, options))
    )


WAYS = (ISOLINUX_WAY, replace(SYSTEMD_BOOT_WAY, architectures=BIOS), UNIFIED)
FORMAT = Format(
    write=write, needs_kernel=True, streamable=True, loaders={**UEFI, "amd64": (SYSTEMD_BOOT, ISOLINUX)}, ways=WAYS
)
