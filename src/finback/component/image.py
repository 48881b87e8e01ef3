"""A component's image: packages unpacked, trimmed, completed, written as one layer.

The image depends on the definition, the pinned packages, the platform and this code alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finback.codec import strict_json, tar
from finback.component import identity, merged_usr
from finback.component.definition import Concatenation, ImageConfig
from finback.component.kernel import kernel_tree, with_parents
from finback.component.library import Component
from finback.component.recipe import cached, recipe
from finback.component.select import licences, matching, select
from finback.component.unpack import Unpacked, unpack
from finback.ground import canonical
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.memory import return_large_buffers
from finback.host.store import Store
from finback.oci import image
from finback.oci.configuration import with_path
from finback.resolve.plan import PackagePin
from finback.spec.capability import CAPABILITIES, expand
from finback.spec.model import Settings
from finback.tree.content import Content, Inline, Reader
from finback.tree.entry import AnyEntry, Directory, File, Symlink

LABEL = "org.mobyproject.config"


def build(component: Component, pins: tuple[PackagePin, ...], platform: Platform, store: Store, epoch: int) -> Digest:
    """Build the image from packages that are in the store; the digest of its manifest.

    Raises:
        FinbackError: F134 a package is faulty; F143 to F148 what is to be kept is not there; store errors.

    """
    made_of = recipe(component, pins, platform, epoch)
    with store.lock(f"component-{made_of.short}"):
        done = cached(made_of, store)
        if done is not None:
            return done
        return_large_buffers()
        with store.scratch() as scratch:
            unpacked = unpack(pins, store, scratch)
            tree = _tree(component, unpacked, platform, scratch, epoch)
            entries = [tree[p] for p in sorted(tree, key=lambda p: p.split("/"))]
            with store.ingest() as ingest:
                for chunk in tar.encode(entries, _reader(unpacked)):
                    ingest.write(chunk)
        layer = ingest.digest
        manifest = image.write(store, [layer], _config(component, pins, platform, epoch))
        blobs = [strict_json.plain(store.read(manifest))["config"]["digest"], str(layer)]
        store.remember(made_of, {"manifest": str(manifest), "blobs": blobs})
    return manifest


def _reader(unpacked: Unpacked) -> Reader:
    def read(content: Content) -> Iterable[bytes]:
        return (content.data,) if isinstance(content, Inline) else unpacked.read(content)

    return read


def _tree(
    component: Component, unpacked: Unpacked, platform: Platform, scratch: Path, epoch: int
) -> dict[str, AnyEntry]:
    kernel = component.definition.kernel
    if kernel is not None:
        made = kernel_tree(unpacked, kernel, scratch, epoch)
        found = licences(unpacked, set(made.owners.values()), platform)
        tree = made.tree | {p: unpacked.tree[p] for p in found}
        owners = unpacked.owners | made.owners
        tree |= identity.packages(((owners[p], e) for p, e in tree.items() if p in owners), unpacked, epoch)
    else:
        tree = _root(component, unpacked, platform, epoch)
    placed = (merged_usr.merged(e) for e in tree.values())
    return with_parents({e.path: _clamped(e, epoch) for e in placed}, epoch)


def _clamped(entry: AnyEntry, epoch: int) -> AnyEntry:
    """*entry*, not younger than the build: https://reproducible-builds.org/specs/source-date-epoch/."""
    return replace(entry, mtime=min(entry.mtime, epoch))


def _root(component: Component, unpacked: Unpacked, platform: Platform, epoch: int) -> dict[str, AnyEntry]:
    definition = component.definition
    joined = [_concatenated(unpacked, wanted, epoch) for wanted in definition.concatenate or ()]
    contributors = {name for _, names in joined for name in names}
    kept = select(unpacked, definition.keep, platform, contributors, _provided(component))
    tree = dict(kept)
    for link in merged_usr.links(platform, epoch):
        tree.setdefault(link.path, link)
    tree |= identity.users(definition.users, kept, epoch)
    tree |= {entry.path: entry for entry, _ in joined}
    for overlay in component.overlay:
        if overlay.target is None:
            content = Inline(overlay.data)
            tree[overlay.path] = File(path=overlay.path, mode=overlay.mode, mtime=epoch, content=content)
        else:
            tree[overlay.path] = Symlink(path=overlay.path, target=overlay.target, mtime=epoch)
    for entry in _files(component, epoch):
        tree[entry.path] = entry
    # What the definition lays over a package's file is not the package's.
    parts = [(unpacked.owners[p], e) for p, e in kept.items() if p in unpacked.owners and tree[p] is e]
    parts += [(name, entry) for entry, names in joined for name in names]
    tree |= identity.packages(parts, unpacked, epoch)
    # The places that the old links lead to must be there.
    for place in ("usr/bin", "usr/lib", "usr/sbin"):
        tree.setdefault(place, Directory(path=place, mtime=epoch))
    if "lib64" in tree:
        tree.setdefault("usr/lib64", Directory(path="usr/lib64", mtime=epoch))
    return tree


def _provided(component: Component) -> frozenset[str]:
    """The places of what the definition itself brings: an interpreter or a library may be among it."""
    definition = component.definition
    paths = [i.path for i in definition.files or ()] + [i.path for i in definition.concatenate or ()]
    paths += [i.path for i in component.overlay]
    return frozenset(merged_usr.moved(path.strip("/")) for path in paths)


def _files(component: Component, epoch: int) -> Iterator[AnyEntry]:
    for added in component.definition.files or ():
        path = added.path.strip("/")
        owner: dict[str, Any] = {"uid": added.uid or 0, "gid": added.gid or 0, "mtime": epoch}
        if added.symlink is not None:
            yield Symlink(path=path, target=added.symlink, **owner)
        elif added.directory:
            yield Directory(path=path, mode=int(added.mode or "0755", 8), **owner)
        else:
            content = Inline((added.contents or "").encode())
            yield File(path=path, mode=int(added.mode or "0644", 8), content=content, **owner)


def _concatenated(unpacked: Unpacked, wanted: Concatenation, epoch: int) -> tuple[AnyEntry, set[str]]:
    """The file, and the packages that it is made of."""
    files = {p: e for p, e in unpacked.tree.items() if isinstance(e, File)}
    found = sorted(matching(files, wanted.of, wanted.origin.at("of")))
    data = bytearray()
    for path in found:
        data += unpacked.data(files[path])
        if not data.endswith(b"\n"):
            data += b"\n"
    entry = File(path=wanted.path.strip("/"), mtime=epoch, content=Inline(bytes(data)))
    return entry, {unpacked.owners[p] for p in found}


def _private(label: Settings) -> Settings:
    """*label* with an IPC namespace of its own, unless it says something else or is for work on the whole machine."""
    everything = expand(label.capabilities) == CAPABILITIES
    return replace(label, ipc=label.ipc or (None if everything else "new"))


def _config(component: Component, pins: tuple[PackagePin, ...], platform: Platform, epoch: int) -> dict[str, Any]:
    definition = component.definition
    given = definition.config or ImageConfig()
    labels = {
        "org.opencontainers.image.title": component.name,
        "org.opencontainers.image.description": definition.summary,
    }
    version = component.version(platform, pins)
    if version:
        labels["org.opencontainers.image.version"] = version
    if definition.label is not None:
        label = canonical.plain(_private(definition.label))
        labels[LABEL] = json.dumps(label, sort_keys=True, separators=(",", ":"))
    config: dict[str, Any] = {
        "Entrypoint": list(given.entrypoint) if given.entrypoint else None,
        "Cmd": list(given.cmd) if given.cmd else None,
        "Env": list(given.env or with_path(())),
        "WorkingDir": given.working_dir,
        "User": given.user,
        "ExposedPorts": {p: {} for p in given.exposed_ports} if given.exposed_ports else None,
        "StopSignal": given.stop_signal,
        "Labels": labels,
    }
    return {
        "created": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "os": platform.os,
        "architecture": platform.architecture,
        "config": {k: v for k, v in config.items() if v is not None},
    }
