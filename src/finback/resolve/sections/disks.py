"""`disks`: for each a step, in a container of its own, that finds, makes, checks and mounts it.

What is to be done is the step's command: words of the form KEY=VALUE, first the rules by which the disk is found, then,
after the word `part`, those of each place on it (components/disks). The guest parses no YAML.
"""

from __future__ import annotations

from collections.abc import Iterator

from finback.ground.source import Origin
from finback.resolve.plan import Driver
from finback.resolve.sections import Addition, Section
from finback.spec.disk import LABELS, UNITS, Disk, Encryption, Partition, mount_point, places, size
from finback.spec.model import Item, Spec

SMALL, WHOLE = "finback/disks", "finback/disks-all"
PROGRAM = "/usr/lib/finback/disk"
WAIT = 10
OPTIONS = ("nosuid", "nodev")
# What the kernel must have; vfat's names are in a code page.
FILESYSTEMS = {"ext4": ("ext4",), "xfs": ("xfs",), "btrfs": ("btrfs",), "vfat": ("vfat", "nls_cp437"), "swap": ()}
ENCRYPTION = ("dm_crypt",)
MIB = UNITS["M"]
# What the partition table takes at both ends, and the partition that takes the rest at least.
TABLE, REST = 2 * MIB, 16 * MIB


def add(spec: Spec) -> Addition:
    """What the disks of *spec* ask for."""
    disks = spec.disks or ()
    found = [p for d in disks for p in places(d)]
    return Addition(
        early=tuple(_step(d) for d in disks),
        drivers=tuple(driver for d in disks for driver in _drivers(d)),
        mount_points=tuple(m for m in map(mount_point, found) if m),
    )


def _step(disk: Disk) -> Item:
    command = [PROGRAM, disk.name, *_words(_rules(disk))]
    for place in places(disk):
        command += ["part", *_words(_place(place))]
    return Item(
        name=f"disk-{disk.name}",
        image=WHOLE if any(p.encryption or p.filesystem in ("xfs", "btrfs") for p in places(disk)) else SMALL,
        command=tuple(command),
        on_failure=disk.on_failure or "halt",
        timeout=disk.timeout,
        # Its own keys are none of an item's.
        origin=Origin(disk.origin.span),
    )


def _drivers(disk: Disk) -> Iterator[Driver]:
    for place in places(disk):
        kind = place.filesystem or "ext4"
        names = [*FILESYSTEMS[kind], *(ENCRYPTION if place.encryption else ())]
        for name in names:
            yield Driver(name=name, user=f"the {kind} of {place.name}", origin=place.origin)


def _words(values: Iterator[tuple[str, object]]) -> list[str]:
    return [f"{key}={value}" for key, value in values if value is not None and value != ""]


def _rules(disk: Disk) -> Iterator[tuple[str, object]]:
    match = disk.match
    if match is not None:
        yield "serial", match.serial
        yield "bus", match.bus
        yield "max", size(match.max_size) if match.max_size else ""
        yield "with_label", match.label
    asked = size(match.min_size) if match is not None and match.min_size else 0
    if match is None or not match.label:
        needed = TABLE + sum(size(p.size) if p.size else REST for p in disk.partitions or ()) if disk.partitions else 0
        yield "min", max(asked, needed or TABLE + REST)
    elif asked:
        yield "min", asked
    yield "wait", WAIT if disk.wait is None else disk.wait
    yield "optional", "yes" if disk.optional else ""
    yield "emptiness", "" if disk.emptiness == "read" else disk.emptiness


def _place(place: Disk | Partition) -> Iterator[tuple[str, object]]:
    kind = place.filesystem or "ext4"
    short = len(place.name) <= LABELS[kind]
    yield "place", place.name
    yield "size", size(place.size) // MIB if isinstance(place, Partition) and place.size else ""
    yield "filesystem", kind
    yield "label", place.label or (place.name if short else "")
    yield "mount", mount_point(place)
    yield "options", "" if kind == "swap" else ",".join(OPTIONS if place.options is None else place.options)
    yield "grow", "yes" if place.grow else ""
    yield "repair", place.repair or "safe"
    yield from _keys(place.encryption)


def _keys(encryption: Encryption | None) -> Iterator[tuple[str, object]]:
    if encryption is None:
        return
    yield "key_file", encryption.key_file
    yield "passphrase", "yes" if encryption.passphrase else ""
    if encryption.tpm2 is not None:
        pcrs = (7,) if encryption.tpm2.pcrs is None else encryption.tpm2.pcrs
        yield "pcrs", ",".join(str(p) for p in sorted(set(pcrs)))


SECTION = Section(rank=10, add=add)
