"""Images from and to archives: `cache import` and `cache export`.

Source: compat 3.8; OCI image specification 1.1, image-layout.md; Docker image specification 1.2 for archives of
`docker load`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from finback.app.workspace import Workspace
from finback.codec import tar
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host import file
from finback.host.store import IMPORTED, REF_NAME, Store
from finback.oci import files, flatten, image, layer, layout, manifest
from finback.oci.layout import IMAGE_NAME
from finback.oci.manifest import Descriptor, Document
from finback.oci.reference import Reference
from finback.tree.content import Content, Inline, Slice
from finback.tree.entry import AnyEntry, File

FORMATS = ("oci", "docker", "filesystem")
LIMIT = 64 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """An image that has a name in the store now."""

    name: str
    digest: Digest


def take(source: Path | BinaryIO, workspace: Workspace, repository: str = "") -> tuple[Imported, ...]:
    """Take every image of an OCI layout, for all platforms that it has, from a folder, an archive or a stream.

    Their names are those in the layout. Tools often write a tag alone there; *repository* is what such tags are of.

    Raises:
        FinbackError: F182 an image has no name, or there is none; F185 it is no layout; as `layout.copy_all`.

    """
    store = workspace.store
    if not isinstance(source, Path):
        with store.scratch() as scratch:
            path = scratch / "input"
            _spool(source, path)
            return _take(path, workspace, repository, "standard input")
    return _take(source, workspace, repository, "")


def _take(source: Path, workspace: Workspace, repository: str, called: str) -> tuple[Imported, ...]:
    """Take the images of *source*, which messages call *called*, or by its own name where that is ""."""
    store = workspace.store
    with files.opened(source, store) as found:
        label = called or found.label
        if not layout.is_layout(found):
            raise error(
                "F185",
                f"{label} is no OCI layout",
                help="name one, such as `skopeo copy` writes with oci-archive:, or use docker-archive:PATH in a spec",
            )
        entries = layout.entries(found)
        names = [_name(entry, label, repository) for entry in entries]
        for entry, name in zip(entries, names, strict=True):
            layout.copy_all(found, entry, store)
            about = {k: v for k, v in entry.annotations.items() if k != REF_NAME}
            store.tag(name, {**entry.written(), "annotations": {**about, IMPORTED: "true"}})
    return tuple(Imported(name=n, digest=e.digest) for n, e in zip(names, entries, strict=True))


def _spool(source: BinaryIO, path: Path) -> None:
    size = 0
    with file.scratch_file(path) as out:
        while chunk := source.read(1 << 20):
            size += len(chunk)
            if size > LIMIT:
                raise error("F411", f"the input has more than {LIMIT} bytes", help="import the images one by one")
            out.write(chunk)


def _name(entry: Descriptor, label: str, repository: str) -> str:
    """The expanded name of an entry. A word by itself is a tag where *repository* is given, and else a name.

    Source: OCI image specification 1.1, annotations.md, `org.opencontainers.image.ref.name`.
    """
    if repository:
        tag = re.split("[:/]", entry.annotations.get(REF_NAME, "latest"))[-1]
        return str(Reference.parse(f"{repository}:{tag}"))
    for key in (IMAGE_NAME, REF_NAME):
        if key in entry.annotations:
            try:
                return str(Reference.parse(entry.annotations[key]))
            except FinbackError:
                continue
    raise error("F182", f"{label} has an image without a name ({entry.digest})", help="say what it is: --name IMAGE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What to write."""

    name: str
    """As it is in the store's index."""
    digest: Digest
    media_type: str
    platform: Platform
    form: str = "oci"
    given: str = ""
    """What the image is called in the archive. Default: its name."""


def write(what: Export, out: BinaryIO, workspace: Workspace) -> None:
    """Write the image as an archive: an OCI layout, one for `docker load`, or its file system.

    Raises:
        FinbackError: F171, it is not for the platform; F402, something of it is missing; F401, damaged.

    """
    store = workspace.store
    document = manifest.read(store.read(what.digest, manifest.LIMIT), what.media_type)
    for _ in range(manifest.DEPTH):
        if not document.is_index:
            break
        entry = manifest.choose(document, what.platform, what.name)
        document = manifest.read(store.read(entry.digest, manifest.LIMIT), entry.media_type)
    if what.form == "filesystem":
        entries: Iterator[AnyEntry] | list[AnyEntry] = flatten.entries(store, document.digest)
    elif what.form == "docker":
        entries = _docker(document, what.given or what.name, store)
    else:
        entries = _oci(document, what.given or what.name, store)
    out.writelines(tar.encode(entries, store.chunks))


def _oci(document: Document, name: str, store: Store) -> Iterator[AnyEntry]:
    descriptor = {**document.descriptor.written(), "annotations": {REF_NAME: name, IMAGE_NAME: name}}
    index = {"schemaVersion": 2, "mediaType": manifest.INDEX, "manifests": [descriptor]}
    yield File(path="oci-layout", content=Inline(b'{"imageLayoutVersion":"1.0.0"}'))
    yield File(path="index.json", content=Inline(json.dumps(index, sort_keys=True).encode()))
    needed = {document.digest, *(d.digest for d in (document.config, *document.layers) if d is not None)}
    for digest in sorted(needed):
        yield File(path=f"blobs/{digest.algorithm}/{digest.encoded}", content=_whole(digest, store))


def _docker(document: Document, name: str, store: Store) -> Iterator[AnyEntry]:
    loaded = image.load(store, document.digest)
    assert document.config is not None
    config = document.config.digest
    plain = [layer.unpacked(found, store) for found in loaded.layers]
    tag = Reference.parse(name)
    listed = {
        "Config": f"{config.encoded}.json",
        "RepoTags": [tag.familiar if tag.tag else f"{tag.familiar_name}:latest"],
        "Layers": [f"{digest.encoded}/layer.tar" for digest in plain],
    }
    yield File(path=f"{config.encoded}.json", content=_whole(config, store))
    for digest in dict.fromkeys(plain):
        yield File(path=f"{digest.encoded}/layer.tar", content=_whole(digest, store))
    yield File(path="manifest.json", content=Inline(json.dumps([listed]).encode()))


def _whole(digest: Digest, store: Store) -> Content:
    return Slice(digest, 0, store.size(digest))
