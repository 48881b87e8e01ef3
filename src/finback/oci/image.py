"""Images in the store: a manifest, a configuration, layers.

Layers that finback makes are uncompressed tars, so that an image's digest does not depend on a compressor.

Source: OCI image specification 1.1, manifest.md, config.md, layer.md; Docker's image manifest, version 2, schema 2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finback.codec import strict_json
from finback.codec.strict_json import JsonError
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import configuration, manifest
from finback.oci.manifest import LIMIT, MANIFEST, Descriptor, Document

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
# Layers whose maker did not want registries to hand them out are like all others once one has them.
_FAMILIES = (
    (LAYER, "+"),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar", "+"),
    ("application/vnd.docker.image.rootfs.diff.tar", "."),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar", "."),
)
# As a type is no more than what somebody says, it is the bytes that tell how they are compressed.
LAYERS = frozenset(name + ending for name, dot in _FAMILIES for ending in ("", f"{dot}gzip", f"{dot}zstd"))
MAX_LAYERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer as the manifest and the configuration describe it."""

    digest: Digest
    """Of its bytes as they are stored."""
    size: int
    diff_id: Digest
    """Of its uncompressed bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that is in the store."""

    digest: Digest
    document: Document
    config: Mapping[str, Any]
    layers: tuple[Layer, ...]
    """The bottom one first."""


def load(store: Store, digest: Digest) -> Image:
    """The image whose manifest has *digest*.

    Raises:
        FinbackError: F402 not in the store, F401 damaged, F124 not an image of a kind that finback reads, F170 no
            manifest.

    """
    document = manifest.read(store.read(digest, LIMIT), MANIFEST)
    if document.config is None or not document.is_image:
        raise _bad(digest, "an index of images" if document.is_index else f"an artefact of type {document.kind}")
    body = store.read(document.config.digest, LIMIT)
    if len(body) != document.config.size:
        raise _wrong_size(digest, document.config, len(body))
    config = parse_config(body, digest)
    layers = describe(document, config)
    for layer, found in zip(document.layers, layers, strict=True):
        if store.has(found.digest) and store.size(found.digest) != layer.size:
            # A blob that lost or gained bytes in the store is no mistake of whoever made the image.
            store.verified(found.digest)
            raise _wrong_size(digest, layer, store.size(found.digest))
    return Image(digest=digest, document=document, config=config, layers=layers)


def parse_config(body: bytes, image: Digest) -> dict[str, Any]:
    """The configuration in *body* of the image whose manifest has the digest *image*; see `decode_config`.

    Raises:
        FinbackError: F124, it is no image's configuration.

    """
    try:
        return decode_config(body)
    except JsonError as failure:
        raise _bad(image, f"its configuration can't be read: {failure}") from None


def decode_config(body: bytes) -> dict[str, Any]:
    """The configuration in *body*; the types of everything that finback itself relies on are checked.

    Raises:
        JsonError: it is no image's configuration.

    """
    document = strict_json.read(body)
    root = document.need("rootfs")
    kind = root.get("type").text("layers")
    if kind != "layers":
        raise JsonError(f"$.rootfs.type is {kind[:40]!r}, not 'layers'")
    # Go's encoder writes null for the list of an image without layers.
    for diff_id in root.get("diff_ids").items():
        diff_id.text()
    for name in ("os", "architecture", "variant"):
        document.get(name).text("")
    configuration.decode(document.get("config"))
    return dict(document.object())


def made_for(config: Mapping[str, Any]) -> Platform | None:
    """The platform that a configuration names; None when it names no architecture, as those of some old tools do."""
    architecture = str(config.get("architecture") or "")
    if not architecture:
        return None
    return manifest.platform(str(config.get("os") or ""), architecture, str(config.get("variant") or ""))


def check_platform(config: Mapping[str, Any], wanted: Platform, name: str) -> None:
    """Raise the error for an image, called *name*, that *config* says is made for something else than *wanted*.

    Raises:
        FinbackError: F171, it is not for this platform.

    """
    offered = made_for(config)
    if offered is not None and not manifest.fits(offered, wanted):
        raise manifest.lacks(name, wanted, [offered])


def describe(document: Document, config: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The layers that *document* lists, with what *config* says of them.

    Raises:
        FinbackError: F124, the two do not agree, or a layer is of a type that finback does not read.

    """
    diff_ids = config["rootfs"].get("diff_ids") or ()
    if len(diff_ids) != len(document.layers) or len(diff_ids) > MAX_LAYERS:
        raise _bad(document.digest, f"it has {len(document.layers)} layers, its configuration says {len(diff_ids)}")
    layers = []
    for layer, diff_id in zip(document.layers, diff_ids, strict=True):
        if layer.media_type not in LAYERS:
            raise _unknown_layer(document.digest, layer.media_type)
        try:
            unpacked = Digest.parse(diff_id)
        except ValueError as failure:
            raise _bad(document.digest, str(failure)) from None
        layers.append(Layer(digest=layer.digest, size=layer.size, diff_id=unpacked))
    return tuple(layers)


def is_whole(store: Store, digest: Digest) -> bool:
    """Whether the image, and all that it needs, is in the store."""
    if not store.has(digest):
        return False
    try:
        found = load(store, digest)
    except FinbackError as failure:
        if {d.code for d in failure.diagnostics} & {"F401", "F402"}:
            return False
        raise
    return all(store.has(layer.digest) or store.has(layer.diff_id) for layer in found.layers)


def write(store: Store, layers: Sequence[Digest], config: Mapping[str, Any]) -> Digest:
    """Put an image into the store; *layers* are stored uncompressed tars. The digest of its manifest."""
    full = {**config, "rootfs": {"type": "layers", "diff_ids": [str(layer) for layer in layers]}}
    return write_manifest(store, layers, _json(full))


def write_manifest(store: Store, layers: Sequence[Digest], config: bytes) -> Digest:
    """As `write`, with the bytes of a configuration that lists the layers already."""
    config_digest = store.put(config)
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": str(config_digest), "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": str(d), "size": store.size(d)} for d in layers],
    }
    return store.put(_json(body))


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _unknown_layer(digest: Digest, media_type: str) -> FinbackError:
    message = f"image {digest} has a layer of type {media_type}"
    if media_type.endswith("+encrypted"):
        return error("F124", message, help="decrypt it first: `skopeo copy --decryption-key KEY ...`")
    known = ", ".join(sorted(LAYERS))
    return error("F124", message, help=f"use an image whose layers are of these types: {known}")


def _bad(digest: Digest, why: str) -> FinbackError:
    return error("F124", f"{digest} is not an image that finback reads: {why}", help="use another version of the image")


def _wrong_size(digest: Digest, said: Descriptor, size: int) -> FinbackError:
    return error(
        "F124",
        f"image {digest} says that {said.digest} has {said.size} bytes; it has {size}",
        help="whoever made the image made a mistake: use another version of it",
    )
