"""Images in the store: a manifest, a configuration, layers.

Layers that finback makes are uncompressed tars, so that an image's digest does not depend on a compressor.

Source: OCI image specification 1.1, manifest.md, config.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.host.store import Store

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LIMIT = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that is in the store."""

    digest: Digest
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]
    layers: tuple[Digest, ...]
    """Uncompressed tars, the bottom one first."""


def load(store: Store, digest: Digest) -> Image:
    """The image whose manifest has *digest*.

    Raises:
        FinbackError: F402 not in the store, F401 damaged, F124 not an image of a kind that finback reads.

    """
    try:
        manifest = json.loads(store.read(digest, LIMIT))
        config = json.loads(store.read(Digest.parse(manifest["config"]["digest"]), LIMIT))
        layers = []
        for layer in manifest["layers"]:
            if layer["mediaType"] != LAYER:
                raise error(
                    "F124",
                    f"image {digest} has a layer of type {layer['mediaType']}",
                    help=f"this version of finback reads {LAYER}",
                )
            layers.append(Digest.parse(layer["digest"]))
    except (KeyError, TypeError, ValueError) as failure:
        raise error(
            "F124", f"{digest} is not an image: {failure!r}", help="the store may be mixed up: delete it"
        ) from None
    return Image(digest=digest, manifest=manifest, config=config, layers=tuple(layers))


def write(store: Store, layers: Sequence[Digest], config: Mapping[str, Any]) -> Digest:
    """Put an image into the store; *layers* are stored uncompressed tars. The digest of its manifest."""
    full = {**config, "rootfs": {"type": "layers", "diff_ids": [str(layer) for layer in layers]}}
    body = _json(full)
    config_digest = store.put(body)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": str(config_digest), "size": len(body)},
        "layers": [{"mediaType": LAYER, "digest": str(d), "size": store.size(d)} for d in layers],
    }
    return store.put(_json(manifest))


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
