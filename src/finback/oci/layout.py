"""Images in OCI image layouts, folders or archives: what one platform needs is taken into the store.

Source: OCI image specification 1.1, image-layout.md, and annotations.md for names; containerd and Docker add the whole
name as `io.containerd.image.name`.
"""

from __future__ import annotations

from collections.abc import Sequence

from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import REF_NAME, Store
from finback.oci import files, image, manifest
from finback.oci.files import Files
from finback.oci.manifest import Descriptor, Document
from finback.oci.reference import Reference

IMAGE_NAME = "io.containerd.image.name"
DEPTH = 4
# How many names an error lists.
NAMED = 20


def is_layout(found: Files) -> bool:
    """Whether it has the files that make it a layout."""
    return found.has("oci-layout") and found.has("index.json")


def entries(found: Files) -> tuple[Descriptor, ...]:
    """What the layout's index lists.

    Raises:
        FinbackError: F182, it lists nothing; as `manifest.read`.

    """
    index = manifest.read(files.read(found, "index.json", manifest.LIMIT), manifest.INDEX)
    if not index.manifests:
        raise error("F182", f"index.json in {found.label} lists no image", help="use a sound OCI image layout")
    return index.manifests


def copy_all(found: Files, entry: Descriptor, store: Store, depth: int = DEPTH) -> None:
    """Put what *entry* leads to into the store, whatever it is: of an index, all manifests that the layout has.

    Raises:
        FinbackError: F172 indexes too deep, F183 a blob is not what its descriptor says; as `manifest.read`.

    """
    if not depth:
        raise error("F172", f"{found.label}: indexes within indexes, {DEPTH} deep", help="make the layout anew")
    document = manifest.read(_blob(found, entry), entry.media_type)
    for inner in document.manifests:
        # A layout may leave out platforms that its maker did not want.
        if found.has(_path(inner.digest)):
            copy_all(found, inner, store, depth - 1)
    for blob in (document.config, *document.layers):
        if blob is not None:
            _copy(found, blob, store)
    _copy(found, entry, store)


def take(found: Files, name: str, platform: Platform, store: Store) -> Digest:
    """Put the image called *name* ("": the only one), as it is for *platform*, into the store; its manifest's digest.

    Raises:
        FinbackError: F182 no such name, or several and none given; F183 a blob is not what its descriptor says; F171
            not for this platform; F172 indexes too deep; as `manifest.read`, `image.load` and the store.

    """
    label = f"{found.label}:{name}" if name else found.label
    document = _chosen(found, _named(entries(found), name, found.label), platform, label)
    config = document.config
    if config is None or not document.is_image:
        raise error("F124", f"{label} is no image but an artefact of type {document.kind}", help="name an image")
    _copy(found, config, store)
    offered = image.made_for(image.parse_config(store.read(config.digest, manifest.LIMIT), document.digest))
    if not manifest.fits(offered, platform):
        raise manifest.lacks(label, platform, [offered])
    for layer in document.layers:
        _copy(found, layer, store)
    # Last: what the store has of an image under its digest is whole.
    return store.put(document.body)


def _named(listed: Sequence[Descriptor], name: str, label: str) -> list[Descriptor]:
    """The entries called *name*; more than one when the platforms of an image are listed singly."""
    images = [m for m in listed if not m.is_attestation]
    names = sorted({n for m in images for n in _names(m)})
    if name:
        fitting = [m for m in images if name == str(m.digest) or any(_same(n, name) for n in _names(m))]
    else:
        fitting = images if len(images) == 1 or len(names) < 2 else []
    if not fitting:
        known = ", ".join(names[:NAMED]) or "none"
        what = f"{label} has no image {name}" if name else f"{label} has several images, and none is named"
        raise error("F182", what, help=f"write PATH:NAME; its names are: {known}")
    return fitting


def _names(entry: Descriptor) -> list[str]:
    """The names of an entry, the whole one first."""
    return [entry.annotations[key] for key in (IMAGE_NAME, REF_NAME) if key in entry.annotations]


def _same(one: str, other: str) -> bool:
    return one == other or (_expanded(one) == _expanded(other) and _expanded(one) is not None)


def _expanded(name: str) -> str | None:
    try:
        reference = Reference.parse(name)
    except FinbackError:
        return None
    return str(reference) if reference.tag or reference.digest else f"{reference}:latest"


def _chosen(found: Files, fitting: Sequence[Descriptor], platform: Platform, label: str) -> Document:
    """The manifest for *platform* among *fitting*, which may be indexes."""
    entries = tuple(fitting)
    for _ in range(DEPTH):
        if len(entries) > 1 or entries[0].platform is not None:
            listing = Document(digest=entries[0].digest, media_type=manifest.INDEX, body=b"", manifests=entries)
            entry = manifest.choose(listing, platform, label)
        else:
            entry = entries[0]
        document = manifest.read(_blob(found, entry), entry.media_type)
        if not document.is_index:
            return document
        entries = document.manifests
        if not entries:
            raise manifest.lacks(label, platform, [])
    raise error("F172", f"{label}: indexes within indexes, {DEPTH} deep", help="name a manifest by its digest")


def _path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def _blob(found: Files, entry: Descriptor) -> bytes:
    """A manifest or index, checked."""
    import hashlib

    data = files.read(found, _path(entry.digest), manifest.LIMIT)
    if len(data) != entry.size or hashlib.new(entry.digest.algorithm, data).hexdigest() != entry.digest.encoded:
        raise _damaged(found, entry)
    return data


def _copy(found: Files, entry: Descriptor, store: Store) -> None:
    if store.has(entry.digest):
        return
    try:
        with store.ingest(entry.digest, entry.size) as ingest:
            for chunk in found.stream(_path(entry.digest)):
                ingest.write(chunk)
            if ingest.size != entry.size:
                raise _damaged(found, entry)
    except FinbackError as failure:
        if failure.diagnostics[0].code not in ("F301", "F302"):
            raise
        raise _damaged(found, entry) from None


def _damaged(found: Files, entry: Descriptor) -> FinbackError:
    return error(
        "F183",
        f"blob {entry.digest} in {found.label} is damaged: it is not the {entry.size} bytes that it should be",
        help="make or copy the layout anew",
    )
