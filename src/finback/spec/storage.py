"""What can be known to be wrong in `disks`, and in the volumes that live on them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import fields

from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span
from finback.spec.disk import LABELS, Disk, DiskMatch, Encryption, Partition, Place, mount_point, places, size
from finback.spec.model import Spec
from finback.spec.settings import did_you_mean, problem, warning
from finback.spec.supervised import MAX_SECONDS

# A partition's name has at most 36 characters (UEFI 2.10, 5.3.3), a step's more.
_NAME = re.compile(r"[a-z0-9_-]{1,36}\Z")
_WORD = re.compile(r"[!-+\--~]+\Z")
_PRINTABLE = re.compile(r"[ -~]+\Z")
# Where a mount would hide what the system is made of, and below which nothing is to be mounted.
_TAKEN = ("/bin", "/containers", "/dev", "/etc", "/images", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr")
_WHOLE = ("/", "/run", "/tmp", "/init")  # no temporary file
_PLACE_KEYS = tuple(f.metadata.get("key", f.name) for f in fields(Place))
_PCRS = 24


def check_disks(spec: Spec) -> Iterator[Diagnostic]:
    """All findings about the disks of *spec*."""
    disks = spec.disks or ()
    found = [p for d in disks for p in places(d)]
    yield from _names(disks)
    for disk in disks:
        yield from _disk(disk)
        for place in places(disk):
            yield from _place(place)
    yield from _mount_points(found)
    yield from _uses(spec, {p.name: p for p in found})
    yield from _secrets(spec, found)


def _names(disks: tuple[Disk, ...]) -> Iterator[Diagnostic]:
    seen: dict[str, Span | None] = {}
    records: list[Disk | Partition] = []
    for disk in disks:
        records += [disk, *(disk.partitions or ())]
    for record in records:
        span = record.origin.at("name")
        if not _NAME.match(record.name):
            mended = re.sub(r"[^a-z0-9_-]+", "-", record.name.lower()).strip("-")[:36]
            advice = f"write `name: {mended}`" if mended else "use lower-case letters, digits, - and _"
            yield problem("F011", f"{record.name!r} is not the name of a disk or partition", span, advice)
        elif record.name in seen:
            note = f"the first is at {seen[record.name]}"
            yield problem("F033", f"two disks or partitions are called {record.name!r}", span, "rename one", note)
        seen.setdefault(record.name, span)


def _disk(disk: Disk) -> Iterator[Diagnostic]:
    at = disk.origin.at
    for key in ("wait", "timeout"):
        value = getattr(disk, key)
        if value is not None and not int(key == "timeout") <= value <= MAX_SECONDS:
            advice = f"write seconds, up to {MAX_SECONDS}"
            yield problem("F064", f"`{key}: {value}` is out of range", at(key), advice)
    if disk.partitions is not None:
        for key in _PLACE_KEYS:
            if (key,) in disk.origin.spans:
                advice = "move it to the partition that it is about"
                yield problem("F012", f"`{key}` is said of a disk with `partitions`", at(key), advice)
        if not disk.partitions:
            yield problem("F011", "the disk has no partitions", at("partitions"), "remove `partitions`, or add some")
        yield from _partitions(disk.partitions)
    if disk.match is not None:
        yield from _match(disk, disk.match)


def _match(disk: Disk, match: DiskMatch) -> Iterator[Diagnostic]:
    sizes = {}
    for key, text in (("minSize", match.min_size), ("maxSize", match.max_size)):
        if text is not None:
            yield from _size(text, match.origin.at(key))
            sizes[key] = _bytes(text)
    if sizes.get("maxSize") and sizes["maxSize"] < sizes.get("minSize", 0):
        span = match.origin.at("maxSize")
        yield problem("F011", "no disk is so large and so small", span, "write a `maxSize` above `minSize`")
    for key in ("serial", "label"):
        text = getattr(match, key)
        if text is not None and not _PRINTABLE.match(text):
            yield problem("F011", f"{text!r} can't be matched", match.origin.at(key), "use printable ASCII characters")
    if match.label is not None and disk.partitions is not None:
        advice = "remove `partitions`, or match the disk by something else"
        span = match.origin.at("label")
        yield problem("F012", "`label` finds a file system, which has no partitions", span, advice)
    if match.label is not None and disk.label is not None:
        advice = "remove it: the file system that is found keeps its label"
        yield warning("F054", "`label` has no effect beside `match: {label: ...}`", disk.origin.at("label"), advice)


def _partitions(partitions: tuple[Partition, ...]) -> Iterator[Diagnostic]:
    for partition in partitions[:-1]:
        if partition.size is None:
            advice = "add `size:`, or let it be the last"
            message = f"{partition.name} has no size, and others come after it"
            yield problem("F011", message, partition.origin.at("name"), advice)
        if partition.grow:
            advice = "remove it, or let the partition be the last"
            yield problem(
                "F012", f"{partition.name} can't grow: others come after it", partition.origin.at("grow"), advice
            )
    for partition in partitions:
        if partition.size is not None:
            yield from _size(partition.size, partition.origin.at("size"))


def _size(text: str, span: Span | None) -> Iterator[Diagnostic]:
    if not _bytes(text):
        yield problem("F011", f"{text!r} is not a size", span, "write a number with M, G or T, such as 20G")


def _bytes(text: str) -> int:
    try:
        return size(text)
    except ValueError:
        return 0


def _place(place: Disk | Partition) -> Iterator[Diagnostic]:
    at = place.origin.at
    kind = place.filesystem or "ext4"
    if place.label is not None and (len(place.label) > LABELS[kind] or not _PRINTABLE.match(place.label)):
        advice = f"use at most {LABELS[kind]} printable ASCII characters"
        yield problem("F011", f"{kind} can't be labelled {place.label!r}", at("label"), advice)
    if place.mount is not None:
        yield from _mount(place.mount, at("mount"))
    for i, option in enumerate(place.options or ()):
        if not _WORD.match(option):
            advice = "write each option by itself: `options: [nodev, noexec]`"
            yield problem("F011", f"{option!r} is not a mount option", at("options", i), advice)
    useless = []
    if kind == "swap":
        useless = [k for k in ("mount", "options", "repair") if getattr(place, k) is not None]
    elif kind == "vfat" and place.grow:
        useless = ["grow"]
    elif kind == "btrfs" and place.repair is not None:
        useless = ["repair"]
    for key in useless:
        yield warning("F054", f"`{key}` has no effect with `filesystem: {kind}`", at(key), "remove it")
    if place.encryption is not None:
        yield from _encryption(place.encryption)


def _mount(path: str, span: Span | None) -> Iterator[Diagnostic]:
    if not path.startswith("/") or posixpath.normpath(path) != path or not _WORD.match(path):
        mended = _normal(path)
        advice = f"write `mount: {mended}`" if _WORD.match(mended) else "use an absolute path without blanks and commas"
        yield problem("F011", f"{path!r} is not a mount point", span, advice)
    elif path in _WHOLE or any(path == t or path.startswith(f"{t}/") for t in _TAKEN):
        yield problem("F013", f"{path} belongs to the system", span, "mount it below /var, /srv or /mnt, say")


def _normal(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))


def _encryption(encryption: Encryption) -> Iterator[Diagnostic]:
    at = encryption.origin.at
    given = [k for k, v in (("keyFile", encryption.key_file), ("passphrase", encryption.passphrase)) if v]
    if not given and encryption.tpm2 is None:
        if encryption.origin.spans.keys() & {("keyFile",), ("tpm2",)}:
            return  # it is given and could not be read, which is reported already
        advice = "add one of `keyFile: PATH`, `passphrase: true` and `tpm2: {}`"
        yield problem("F015", "nothing says where the key comes from", encryption.origin.span, advice)
    if len(given) == 2:
        yield problem("F015", "the key comes from a file or from a person", at("passphrase"), "remove one of them")
    path = encryption.key_file
    if path is not None and (
        posixpath.normpath(path) != path or not path.startswith("/") or not _PRINTABLE.match(path)
    ):
        advice = f"write `keyFile: {_normal(path)}`"
        yield problem("F011", f"{path!r} is not the absolute path of a file", at("keyFile"), advice)
    if encryption.tpm2 is not None:
        yield from _registers(encryption.tpm2.pcrs, encryption.tpm2.origin.at("pcrs"))


def _registers(pcrs: tuple[int, ...] | None, span: Span | None) -> Iterator[Diagnostic]:
    if pcrs is not None and (not pcrs or any(not 0 <= p < _PCRS for p in pcrs)):
        yield problem("F011", "these are no registers of a TPM", span, f"write numbers from 0 to {_PCRS - 1}: [7]")


def _mount_points(found: list[Disk | Partition]) -> Iterator[Diagnostic]:
    """They are mounted in the order of the file: none twice, and none over another."""
    earlier: dict[str, Disk | Partition] = {}
    for place in found:
        path = mount_point(place)
        if not path:
            continue
        span = place.origin.at("mount")
        if path in earlier and earlier[path].name != place.name:
            note = f"the other is at {earlier[path].origin.at('mount')}"
            yield problem("F013", f"two file systems are mounted on {path}", span, "mount one elsewhere", note)
        for other, record in earlier.items():
            if other.startswith(f"{path}/"):
                advice = f"let {place.name} come before {record.name}"
                yield problem("F013", f"mounting {path} hides {other}, which is mounted before it", span, advice)
        earlier.setdefault(path, place)


def _uses(spec: Spec, found: dict[str, Disk | Partition]) -> Iterator[Diagnostic]:
    """What is kept on disks: volumes, and secrets that are sealed."""
    for volume in spec.volumes or ():
        if volume.disk is not None:
            yield from _use(volume.disk, volume.origin.at("disk"), spec, found)
    for secret in spec.secrets or ():
        if secret.sealed is not None:
            yield from _use(secret.sealed.disk, secret.sealed.origin.at("disk"), spec, found)
            yield from _registers(secret.sealed.pcrs, secret.sealed.origin.at("pcrs"))


def _use(name: str, span: Span | None, spec: Spec, found: dict[str, Disk | Partition]) -> Iterator[Diagnostic]:
    split = {d.name: d for d in spec.disks or () if d.partitions}
    if name in split:
        advice = f"name one of its partitions: {', '.join(p.name for p in split[name].partitions or ())}"
        yield problem("F014", f"the disk {name!r} has partitions", span, advice)
    elif name not in found:
        advice = did_you_mean(name, found, "declare it under `disks:`")
        yield problem("F014", f"there is no disk {name!r}", span, advice)
    elif found[name].filesystem == "swap":
        yield problem("F014", f"{name} is for swapping, not for files", span, "name another disk")


def _secrets(spec: Spec, found: list[Disk | Partition]) -> Iterator[Diagnostic]:
    """Keys that lie in the image, for everyone who has it."""
    files = {_normal(f.path) for f in spec.files or ()}
    for place in found:
        encryption = place.encryption
        if encryption is not None and encryption.key_file in files:
            advice = "let the TPM keep it (`tpm2: {}`), ask for it (`passphrase: true`), or hand it in at boot"
            span = encryption.origin.at("keyFile")
            yield warning("F016", f"the key of {place.name} is in the image, for everyone who has that", span, advice)
