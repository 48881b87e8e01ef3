"""Images in OCI image layouts, folders or archives: what one platform needs is taken into the store.

Source: OCI image specification 1.1, image-layout.md, and annotations.md for names; containerd and Docker add the whole
name as `io.containerd.image.name`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import REF_NAME, Store
from finback.oci import files, image, manifest
from finback.oci.files import Files
from finback.oci.manifest import Descriptor, Document
from finback.oci.reference import Reference

IMAGE_NAME = "io.containerd.image.name"
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
    body = files.read(found, "index.json", manifest.LIMIT)
    index = manifest.read(body, manifest.INDEX, of=f"index.json in {found.label}")
    if not index.manifests:
        raise error("F182", f"index.json in {found.label} lists no image", help="use a sound OCI image layout")
    return index.manifests


def copy_all(found: Files, entry: Descriptor, store: Store, depth: int = manifest.DEPTH) -> None:
    """Put what *entry* leads to into the store, whatever it is: of an index, all manifests that the layout has.

    Raises:
        FinbackError: F172 indexes too deep, F183 a blob is not what its descriptor says; as `manifest.read`.

    """
    if not depth:
        message = f"{found.label}: indexes within indexes, {manifest.DEPTH} deep"
        raise error("F172", message, help="make the layout anew")
    document = _Opened(found).document(entry)
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
    listed = _merged(entries(found))
    chosen = _named(listed, name, found) if name else _unnamed(listed, found.label)
    return take_entry(found, chosen, f"{found.label}:{name}" if name else found.label, platform, store)


def take_entry(found: Files, chosen: Sequence[Descriptor], label: str, platform: Platform, store: Store) -> Digest:
    """As `take`, of what *chosen* point to: one image or index, or several that differ in their platforms."""
    place = _Opened(found)
    if len(chosen) == 1 and (chosen[0].platform is None or chosen[0].is_index):
        document = manifest.search(place.document(chosen[0]), platform, label, place)
    else:
        listing = Document(digest=chosen[0].digest, media_type=manifest.INDEX, body=b"", manifests=tuple(chosen))
        document = manifest.search(listing, platform, label, place)
    config = document.config
    if config is None or not document.is_image:
        raise error("F124", f"{label} is no image but an artefact of type {document.kind}", help="name an image")
    _copy(found, config, store)
    about = image.parse_config(store.read(config.digest, manifest.LIMIT), document.digest)
    image.check_platform(about, platform, label)
    image.describe(document, about)
    for layer in document.layers:
        if layer.is_foreign and not found.has(_path(layer.digest)) and not store.has(layer.digest):
            raise manifest.withheld(layer)
        _copy(found, layer, store)
    # Last: what the store has of an image under its digest is whole.
    return store.put(document.body)


def same_name(stored: str, asked: str) -> bool:
    """Whether both names mean the same image: `web` is `docker.io/library/web:latest`."""
    return stored == asked or (_expanded(stored) is not None and _expanded(stored) == _expanded(asked))


def spellings(name: str) -> tuple[str, ...]:
    """The names that *name* can mean, the likeliest first: what Podman builds has the registry `localhost`."""
    return name, f"localhost/{name}"


@dataclass(frozen=True, slots=True)
class _Listed:
    """An entry of the index, once, with all names that it is listed under."""

    entry: Descriptor
    whole: tuple[str, ...]
    """Names with a repository."""
    others: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.whole + self.others


def _merged(listed: Sequence[Descriptor]) -> list[_Listed]:
    found: dict[Digest, _Listed] = {}
    for entry in listed:
        known = found.get(entry.digest, _Listed(entry, (), ()))
        names = [[n for n in (entry.annotations.get(key),) if n] for key in (IMAGE_NAME, REF_NAME)]
        whole, others = (
            tuple(dict.fromkeys([*k, *n])) for k, n in zip((known.whole, known.others), names, strict=True)
        )
        found[entry.digest] = _Listed(known.entry if known.entry.platform else entry, whole, others)
    return list(found.values())


def _unnamed(listed: Sequence[_Listed], label: str) -> list[Descriptor]:
    """What is meant when no name is given: the only image, or the only one for each platform."""
    images = [m for m in listed if m.entry.may_be_image] or list(listed)
    platforms = {m.entry.platform for m in images}
    names = {n for m in images for n in m.names}
    if len(images) > 1 and (len(platforms) < len(images) or None in platforms or len(names) > 1):
        raise _not_named(f"{label} has several images, and none is named", images)
    return [m.entry for m in images]


def _named(listed: Sequence[_Listed], name: str, found: Files) -> list[Descriptor]:
    """The entries called *name*; more than one when the platforms of an image are listed singly."""
    known = [m for m in listed if m.entry.media_type in manifest.MANIFESTS | manifest.INDEXES]
    fitting = [m for m in known if name == str(m.entry.digest)]
    for spelling in spellings(name):
        fitting = fitting or [m for m in known if any(same_name(n, spelling) for n in m.names)]
    if not fitting:
        # Docker's identifier of an image is the digest of its configuration.
        fitting = [m for m in known if name.startswith("sha256:") and name == _identifier(found, m.entry)]
    if not fitting:
        raise _not_named(f"{found.label} has no image {name}", [m for m in known if m.entry.may_be_image])
    if len({m.whole[:1] for m in fitting}) > 1:
        # `latest` may be the tag of several.
        raise _not_named(f"{found.label} has several images of the name {name}", fitting)
    return [m.entry for m in fitting]


def _identifier(found: Files, entry: Descriptor) -> str:
    if entry.is_index or not found.has(_path(entry.digest)):
        return ""
    config = _Opened(found).document(entry).config
    return str(config.digest) if config is not None else ""


def _not_named(message: str, listed: Sequence[_Listed]) -> FinbackError:
    names = sorted({n for m in listed for n in m.names})
    unnamed = [str(m.entry.digest) for m in listed if not m.names]
    known = ", ".join((names + unnamed)[:NAMED]) or "none"
    return error("F182", message, help=f"write PATH:NAME; its names are: {known}")


def _expanded(name: str) -> str | None:
    try:
        reference = Reference.parse(name)
    except FinbackError:
        return None
    return str(reference) if reference.tag or reference.digest else f"{reference}:latest"


@dataclass(frozen=True, slots=True)
class _Opened:
    """A layout, in which indexes are followed."""

    found: Files

    def document(self, entry: Descriptor) -> Document:
        """What *entry* points to."""
        return manifest.read(_blob(self.found, entry), entry.media_type, of=f"{entry.digest} in {self.found.label}")

    def platform(self, document: Document) -> Platform | None:
        """What the image is made for."""
        assert document.config is not None
        return image.made_for(image.parse_config(_blob(self.found, document.config), document.digest))


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
