"""Disks: the part of the model that says what the machine keeps, and where.

LinuxKit knows none of these keys. Sizes are texts such as `512M`, `20G`, `2T`; times are in whole seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from finback.ground.source import Origin, origin
from finback.spec.limit import key
from finback.spec.supervision import FailurePolicy

Bus = Literal["virtio", "nvme", "sata", "scsi", "usb", "mmc", "xen", "dasd"]
Filesystem = Literal["ext4", "xfs", "btrfs", "vfat", "swap"]
Repair = Literal["safe", "all", "none"]
Emptiness = Literal["read", "sample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskMatch:
    """Which disk it may be: all that is given must hold."""

    serial: str | None = None
    """Serial number, as the disk gives it."""
    bus: Bus | None = None
    """What it hangs on."""
    min_size: str | None = key("minSize")
    """Size that it has at least: `20G`."""
    max_size: str | None = key("maxSize")
    """Size that it has at most."""
    label: str | None = None
    """Label of a file system, or of a LUKS header, that is there already: it is used, and nothing is ever made."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class TPM2:
    """A key that only this machine's TPM gives out, and only while the registers are what they were."""

    pcrs: tuple[int, ...] | None = None
    """Platform configuration registers, of the SHA-256 bank, to which the key is bound. Default: 7, the state of
    Secure Boot."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """LUKS2, and where its key comes from: `keyFile` or `passphrase` or `tpm2`, or `tpm2` and one of the others, which
    opens the disk when the TPM does not.
    """

    key_file: str | None = key("keyFile")
    """Absolute path of a file of the machine, whose bytes are the key."""
    passphrase: bool | None = None
    """Asked on the console, at each boot unless the TPM opens the disk."""
    tpm2: TPM2 | None = None
    """A key of its own, sealed by the machine's TPM. `{}` takes the defaults."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Where a secret is kept, as only this machine's TPM 2.0 gives it out, while the registers are what they were."""

    disk: str
    """Name of the disk, or of its partition, that keeps it, in the folder `sealed`."""
    pcrs: tuple[int, ...] | None = None
    """Platform configuration registers, of the SHA-256 bank, to which it is bound. Default: 7, the state of Secure
    Boot."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file system, and what becomes of it."""

    filesystem: Filesystem | None = None
    """Its kind. Default: ext4."""
    label: str | None = None
    """Its label. Default: the name, where that is short enough."""
    mount: str | None = None
    """Absolute path where it is mounted. Default: `/run/disks/NAME`."""
    options: tuple[str, ...] | None = None
    """Options as mount(8) takes them. Default: `nosuid`, `nodev`."""
    grow: bool | None = None
    """At each boot, the partition and its file system take what room there is behind them. Default: false."""
    encryption: Encryption | None = None
    """How it is encrypted. Default: not at all."""
    repair: Repair | None = None
    """What a check before it is mounted may mend: what is `safe`; `all`, even if files are lost; `none`.
    Default: safe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition(Place):
    """A partition of a disk."""

    name: str
    """Name: the partition's in the table, and what a volume's `disk` names."""
    size: str | None = None
    """Size, `8G`; only the last may leave it out, and takes the rest."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk(Place):
    """A disk by its role. An empty one that matches is partitioned and formatted, and known again at later boots; one
    that holds anything else is left as it is.
    """

    name: str
    """Name of the role, and what a volume's `disk` names: lower-case letters, digits, `-`, `_`."""
    match: DiskMatch | None = None
    """Which disk it may be. Default: any. The first in the order of the kernel's names is taken."""
    partitions: tuple[Partition, ...] | None = None
    """Its partitions in their order, instead of the one that the keys here describe."""
    emptiness: Emptiness | None = None
    """How it is made sure that a disk without any signature is empty before anything is made on it: `read`, all of it;
    `sample`, its first and last 256 MiB, and the first MiB of each GiB between. Default: read."""
    optional: bool | None = None
    """The machine may lack the disk: nothing is mounted then, and its volumes are in memory. Default: false."""
    on_failure: FailurePolicy | None = key("onFailure")
    """What happens when it is not there, or can't be used: the machine halts or restarts, or the boot goes on without
    it. Default: halt."""
    wait: int | None = None
    """Seconds to wait until the disk appears. Default: 10."""
    timeout: int | None = None
    """Seconds that all of it may take; then it has failed. Default: no limit."""
    origin: Origin = origin()


# Longest labels, in bytes.
LABELS = {"ext4": 16, "xfs": 12, "btrfs": 255, "vfat": 11, "swap": 16}
UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"([0-9]{1,9})([MGT])\Z")


def size(text: str) -> int:
    """The bytes that a size stands for.

    Raises:
        ValueError: it is none.

    """
    found = _SIZE.match(text)
    if not found or not int(found[1]):
        raise ValueError(f"{text!r} is not a size")
    return int(found[1]) * UNITS[found[2]]


def places(disk: Disk) -> tuple[Disk | Partition, ...]:
    """What is made on *disk*: its partitions, or the one that it describes itself."""
    return disk.partitions or (disk,)


def mount_point(place: Disk | Partition) -> str:
    """Where *place* is mounted; "" for swap."""
    return "" if place.filesystem == "swap" else place.mount or f"/run/disks/{place.name}"


def kept_at(disks: Iterable[Disk], name: str | None) -> str:
    """Where the place *name* on one of *disks* is mounted; "" where there is none."""
    return next((mount_point(p) for d in disks for p in places(d) if p.name == name), "")
