"""Everything that can be known to be wrong, or doubtful, from the text alone.

Each rule is a generator of diagnostics over one part of the spec; all of them run, so that all problems are shown at
once. What needs an image (its label, its files) is checked later.

Source: compat 1.5 to 1.13.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.source import Span
from finback.oci import located
from finback.spec.connected import check_connections
from finback.spec.expected import check_tests
from finback.spec.model import File, Item, Spec, Volume
from finback.spec.mount import parse_bind
from finback.spec.networked import check_network
from finback.spec.ordering import check_needs
from finback.spec.secret import check_secrets
from finback.spec.settings import check_id_range, check_mode, check_settings, did_you_mean, problem, warning
from finback.spec.storage import check_disks
from finback.spec.supervised import check_item, check_notify
from finback.spec.syntax import TEMPLATE_REMEDY
from finback.tree.overlay import Kind, Overlay, Placed

FIRST_ID = 100
# containerd's rule for identifiers (identifiers.Validate); runc's, for steps, is wider.
_SERVICE = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*\Z")
_STEP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]*\Z")
_MAX_NAME = 76
_VOLUME = re.compile(r"[a-z0-9_-]+\Z")
# Words in an image's or item's name that say that it brings up the network.
_NETWORKING = re.compile(
    r"dhcp|network|connman|wpa|iwd|vpnkit|cloud-?init|(?:^|[/_.-])(?:ip|net|wlan|ppp)(?:$|[:@_.-])"
)
_KINDS = ("directory", "symlink", "contents", "source", "metadata")
_SECTIONS = ("onboot", "onshutdown", "services")
# Where the kernel's own file systems are mounted.
MOUNTED = ("dev", "proc", "sys")
# Sections that put something into the image.
_CONTENT = ("kernel", "init", "volumes", "files", "network", "disks", "secrets", *_SECTIONS)


def allocate_ids(spec: Spec) -> dict[str, int]:
    """The id of each named item, from 100 in the order onboot, onshutdown, services; the last of a name counts.

    Source: compat 1.10.
    """
    return {item.name: FIRST_ID + i for i, item in enumerate(_items(spec))}


def check(spec: Spec, omitted: frozenset[str] = frozenset()) -> Iterator[Diagnostic]:
    """All findings about *spec*, errors and warnings. *omitted*: what could not be read (`Decoded.omitted`)."""
    yield from check_parts(spec)
    yield from check_whole(spec, omitted)


def check_parts(spec: Spec) -> Iterator[Diagnostic]:
    """Findings about each part by itself: these hold also when other parts could not be read."""
    if spec.kernel and spec.kernel.image:
        yield from _reference(spec.kernel.image, spec.kernel.origin.at("image"))
    for i, image in enumerate(spec.init or ()):
        yield from _reference(image, spec.origin.at("init", i))
    for volume in spec.volumes or ():
        yield from _volume(volume)
    namespaces = tuple(n.name for n in (spec.network.namespaces if spec.network else None) or ())
    for section in _SECTIONS:
        for item in getattr(spec, section) or ():
            yield from _name(item, section)
            yield from _reference(item.image, item.origin.at("image"))
            yield from check_settings(item, namespaces)
            yield from check_item(item, section)
    for file in spec.files or ():
        yield from _file(file)
    if spec.trust and (spec.trust.image or spec.trust.org):
        advice = "remove it: the lock file pins every image by digest"
        yield warning("F050", "`trust` has no effect", spec.trust.origin.span, advice)


def check_whole(spec: Spec, omitted: frozenset[str] = frozenset()) -> Iterator[Diagnostic]:
    """Findings about how the parts fit together.

    A rule is left out where something is in *omitted* that it looks for: what refers to that would be reported wrongly.
    """
    for needed, rule in _WHOLE:
        if not omitted.intersection(needed):
            yield from rule(spec)


def check_content(spec: Spec) -> Iterator[Diagnostic]:
    """A finding where nothing of *spec* could be built."""
    if not any(getattr(spec, section) for section in _CONTENT):
        advice = "add `kernel:`, `init:` and `services:`, or `files:` for an archive of them"
        yield problem("F097", "nothing is described here, so there is nothing to build", spec.origin.span, advice)


def _check_files(spec: Spec) -> Iterator[Diagnostic]:
    """Items of `files` that contradict each other, or lie where the boot mounts something."""
    overlay = Overlay("F057")
    for file in spec.files or ():
        path = posixpath.normpath(f"/{file.path}").strip("/")
        top, _, rest = path.partition("/")
        if not path or ".." in file.path.split("/"):
            continue
        span = file.origin.at("path")
        if top in MOUNTED and (rest or not file.directory):
            message = f"the machine mounts a file system of its own at /{top}, so there can be no /{path} below it"
            advice = "remove it, or let a step of `onboot` make it"
            yield problem(
                "F056", message if rest else f"/{top} is where the machine mounts a file system", span, advice
            )
            continue
        if file.source is not None:
            # It may be a folder; that is seen when it is read.
            continue
        kind: Kind = "folder" if file.directory else "link" if file.symlink is not None else "file"
        clash = overlay.put(
            Placed(path=path, kind=kind, owner="another item of `files`", span=span, target=file.symlink or "")
        )
        if clash is not None:
            yield clash


def _check_volumes(spec: Spec) -> Iterator[Diagnostic]:
    volumes = {v.name: v for v in spec.volumes or ()}
    for item in _items(spec):
        yield from _volume_uses(item, volumes)


def _check_ids(spec: Spec) -> Iterator[Diagnostic]:
    ids = allocate_ids(spec)
    for item in _items(spec):
        at = item.origin.at
        yield from _id(item.uid, at("uid"), ids)
        yield from _id(item.gid, at("gid"), ids)
        for i, group in enumerate(item.additional_gids or ()):
            yield from _id(group, at("additionalGids", i), ids)
    for file in spec.files or ():
        yield from _id(file.uid, file.origin.at("uid"), ids)
        yield from _id(file.gid, file.origin.at("gid"), ids)


def _items(spec: Spec) -> tuple[Item, ...]:
    return (*(spec.onboot or ()), *(spec.onshutdown or ()), *(spec.services or ()))


def _reference(text: str, span: Span | None) -> Iterator[Diagnostic]:
    if text.startswith("@"):
        yield problem("F031", f"`{text}` is a LinuxKit package template", span, TEMPLATE_REMEDY)
        return
    if not text:
        yield problem("F030", "the image name is empty", span, "write [REGISTRY/]NAME[:TAG][@DIGEST], such as nginx:1")
        return
    try:
        located.parse(text)
    except FinbackError as failure:
        for d in failure.diagnostics:
            lower = text.strip().lower() if text != text.strip().lower() else ""
            yield problem(d.code, d.message, span, f"did you mean {lower}?" if _parses(lower) else d.help)


def _parses(text: str) -> bool:
    try:
        located.parse(text)
    except FinbackError:
        return False
    return bool(text)


def _name(item: Item, section: str) -> Iterator[Diagnostic]:
    span = item.origin.at("name")
    pattern = _SERVICE if section == "services" else _STEP
    if len(item.name) > _MAX_NAME:
        advice = f"at most {_MAX_NAME} characters"
        yield problem("F034", f"the name of this container is {len(item.name)} characters long", span, advice)
    elif not pattern.match(item.name):
        mended = re.sub(r"[^A-Za-z0-9]+", "-", item.name).strip("-")
        advice = f"write `name: {mended}`" if mended else "use letters and digits, and . _ - between them"
        yield problem("F034", f"{item.name!r} is not a container name", span, advice)


def _volume(volume: Volume) -> Iterator[Diagnostic]:
    if not _VOLUME.match(volume.name):
        mended = re.sub(r"[^a-z0-9_-]+", "-", volume.name.lower()).strip("-")
        advice = f"write `name: {mended}`" if mended else "use lower-case letters, digits, - and _"
        yield problem("F032", f"{volume.name!r} is not a volume name", volume.origin.at("name"), advice)
    if volume.image:
        yield from _reference(volume.image, volume.origin.at("image"))
    if volume.format == "oci" and not volume.image:
        advice = "add `image:`, whose layout it is to hold"
        yield problem("F032", "a volume of format oci has no image", volume.origin.at("format"), advice)
    if volume.platforms and volume.format != "oci":
        span = volume.origin.at("platforms")
        yield warning("F054", "`platforms` has no effect without `format: oci`", span, "add it, or remove `platforms`")


def _unique(noun: str, records: tuple[Item, ...] | tuple[Volume, ...]) -> Iterator[Diagnostic]:
    seen: dict[str, Span | None] = {}
    for record in records:
        span = record.origin.at("name")
        if record.name in seen:
            note = f"the first is at {seen[record.name]}"
            yield problem("F033", f"there are two {noun}s {record.name!r}", span, "rename or remove one of them", note)
        seen.setdefault(record.name, span)


def _volume_uses(item: Item, volumes: dict[str, Volume]) -> Iterator[Diagnostic]:
    """Binds and mounts whose source is not a path: it must name a volume, and be read-only if that is."""
    uses: list[tuple[str, str, tuple[str, ...], Span | None]] = []
    for field in ("binds", "binds.add"):
        for i, text in enumerate(getattr(item, field.replace(".", "_")) or ()):
            try:
                bind = parse_bind(text)
            except ValueError:
                continue  # reported with the item itself
            uses.append((bind.source, bind.destination, bind.options, item.origin.at(field, i)))
    uses += [
        (mount.source, mount.destination or "", mount.options or (), mount.origin.at("source"))
        for mount in item.mounts or ()
        if mount.type == "bind" and mount.source
    ]
    for source, destination, options, span in uses:
        if source.startswith(("/", ".", "~")):
            continue
        volume = volumes.get(source)
        if volume is None:
            advice = did_you_mean(source, volumes, f"declare it under `volumes:`, or write a path: /{source}")
            yield problem("F038", f"there is no volume {source!r}", span, advice)
        elif volume.readonly and "ro" not in options:
            advice = f"write {source}:{destination}:ro, or remove `readonly` from the volume"
            note = f"it is declared at {volume.origin.at('readonly')}"
            yield problem("F039", f"volume {source!r} is read-only and mounted writable", span, advice, note)


def _id(value: int | str | None, span: Span | None, ids: dict[str, int]) -> Iterator[Diagnostic]:
    yield from check_id_range(value, span)
    if isinstance(value, str) and value not in ("", "root", *ids):
        if value.isdecimal():
            advice = f"remove the quotes: {value}"
        else:
            advice = did_you_mean(value, ids, "name an item of onboot, onshutdown or services, or give a number")
        yield problem("F021", f"{value!r} is no item of this file, so it has no id", span, advice)


def _file(file: File) -> Iterator[Diagnostic]:
    at = file.origin.at
    if ".." in file.path.split("/") or not file.path.strip("/"):
        yield problem("F045", f"{file.path!r} is not a path in the image", at("path"), "write it such as etc/motd")
    if file.mode is not None:
        yield from check_mode("F044", file.mode, at("mode"), "0755" if file.directory else "0644")
    kinds = [k for k in _KINDS if getattr(file, k) or (getattr(file, k) == "" and k == "contents")]
    if any((k,) in file.origin.spans for k in _KINDS if getattr(file, k) is None):
        return  # one is given and could not be read, which is reported already
    if not kinds:
        advice = 'add one of contents, source, symlink, directory and metadata; `contents: ""` is an empty file'
        yield problem("F046", f"{file.path} has no content", at("path"), advice)
    elif len(kinds) > 1:
        given = " and ".join(f"`{k}`" for k in kinds)
        yield problem("F046", f"{file.path} has {given}", at(kinds[1]), "keep one of them: a file is one thing")
    if file.optional and "source" not in kinds:
        yield warning("F054", "`optional` has no effect without `source`", at("optional"), "remove it")


def _network(spec: Spec) -> Iterator[Diagnostic]:
    """A service that uses the machine's network, and nothing that brings that up."""
    everything = (*(spec.onboot or ()), *(spec.services or ()))
    user = next((s for s in spec.services or () if _uses_network(s)), None)
    if spec.kernel is None or spec.network is not None or user is None or any(_brings_network(i) for i in everything):
        return
    if re.search(r"(?:^|\s)ip=", spec.kernel.cmdline or ""):
        return
    span = user.origin.at("net") if user.net else user.origin.at("name")
    message = f"nothing in this file configures a network, so {user.name} can't be reached, nor reach anything"
    advice = (
        "add a step that does, such as:\n"
        "onboot:\n"
        "  - name: dhcpcd\n"
        "    image: finback/dhcpcd\n"
        '    command: ["/sbin/dhcpcd", "--nobackground", "-f", "/dhcpcd.conf", "-1"]'
    )
    yield warning("F052", message, span, advice)


def _uses_network(item: Item) -> bool:
    """It says that it does: it shares the machine's network, or may bind low ports or wants a resolver there."""
    if item.networks:
        return False
    if item.net:
        return item.net in ("host", "root")
    resolver = any(b.startswith("/etc/resolv.conf:") for b in (*(item.binds or ()), *(item.binds_add or ())))
    return resolver or "CAP_NET_BIND_SERVICE" in (item.capabilities or ())


def _brings_network(item: Item) -> bool:
    return bool(_NETWORKING.search(item.image) or _NETWORKING.search(item.name))


_WHOLE: tuple[tuple[tuple[str, ...], Callable[[Spec], Iterator[Diagnostic]]], ...] = (
    ((), lambda spec: _unique("volume", spec.volumes or ())),
    ((), lambda spec: _unique("service", spec.services or ())),
    (("services",), check_needs),
    (("init", "services.ready"), check_notify),
    (("services", "services.ready", "services.restart", "services.health", "machine"), check_tests),
    (("disks", "disks.partitions", "files"), check_disks),
    (("network", "network.interfaces", "network.dns"), check_network),
    (("network", "network.networks", "network.namespaces", "network.interfaces"), check_connections),
    (("secrets",), check_secrets),
    (("volumes", "volumes.readonly"), _check_volumes),
    ((), _check_files),
    (_SECTIONS, _check_ids),
    ((*_SECTIONS, "kernel", "network"), _network),
)
"""Each rule about several parts, and what of `Decoded.omitted` it can't do without."""
