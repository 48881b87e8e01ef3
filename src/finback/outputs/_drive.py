"""Formats of disks: what lies on one, in which form it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from finback.assemble.command_line import Way
from finback.assemble.system import Contents, Piece, System
from finback.codec import disk, qcow2, vhd, vhdx, vmdk
from finback.codec.disk import Disk
from finback.ground.diagnostic import error
from finback.outputs import Format, Options, Written
from finback.outputs._boot import identity, serial
from finback.tree.content import Stretch

RAW = "application/vnd.finback.disk.raw"
QCOW2 = "application/vnd.finback.disk.qcow2"
VHD = "application/vnd.finback.disk.vhd"
VHDX = "application/vnd.finback.disk.vhdx"
VMDK = "application/vnd.finback.disk.vmdk"

Encoder = Callable[[Disk, System, Contents], Iterable[Stretch | bytes]]


@dataclass(frozen=True, slots=True)
class Drive:
    """A disk, before it has a form."""

    image: Callable[[System, Contents, Options], Disk]
    loaders: Mapping[str, tuple[str, ...]]
    """As `Format.loaders`."""
    ways: tuple[Way, ...]
    """As `Format.ways`."""


def drive_format(drive: Drive, encode: Encoder, *, suffix: str, media_type: str, also: tuple[str, ...] = ()) -> Format:
    """The format that writes *drive* in the form that *encode* gives it; *also* as `Written.also`."""

    def body(system: System, contents: Contents, options: Options) -> Iterator[Piece]:
        try:
            for piece in encode(drive.image(system, contents, options), system, contents):
                yield from (piece,) if isinstance(piece, bytes) else disk.flow((piece,))
        except ValueError as failure:
            raise error("F029", f"the disk can't be made: {failure}", help="choose a smaller size") from None

    def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
        yield Written(
            suffix=suffix,
            role="disk",
            media_type=media_type,
            body=lambda: body(system, contents, options),
            also=also,
        )

    return Format(write=write, needs_kernel=True, streamable=True, sized=True, loaders=drive.loaders, ways=drive.ways)


def raw(image: Disk, system: System, contents: Contents) -> Disk:
    """The disk as it is."""
    del system, contents
    return image


def in_qcow2(image: Disk, system: System, contents: Contents) -> Iterator[Stretch]:
    """Without its holes, compressed where that helps."""
    del system
    return qcow2.encode(image, contents.read)


def in_fixed_vhd(image: Disk, system: System, contents: Contents) -> Disk:
    """With a footer."""
    del contents
    return vhd.fixed(image, identity(system, "vhd"))


def in_dynamic_vhd(image: Disk, system: System, contents: Contents) -> Disk:
    """Without its holes."""
    del contents
    return vhd.dynamic(image, identity(system, "vhd"))


def in_vhdx(image: Disk, system: System, contents: Contents) -> Disk:
    """Without its holes."""
    del contents
    return vhdx.encode(image, identity(system, "vhdx"))


def in_vmdk(image: Disk, system: System, contents: Contents) -> Iterator[bytes]:
    """Compressed, in one pass."""
    return vmdk.encode(image, contents.read, name=f"{system.name}.vmdk", content_id=serial(system, "vmdk"))
