"""An image as it travels: the same configuration, with layers that are compressed.

An image of finback's own is identified by its manifest with uncompressed layers, which does not depend on a
compressor. That manifest follows from the configuration, which lists the layers' diff IDs, so that whoever has fetched
the compressed form makes the same manifest again and compares its digest.

Source: OCI image specification 1.1, config.md, "Layer DiffID"; layer.md, "Zstd media types".
"""

from __future__ import annotations

import json
from typing import Any

from finback.codec.compress import compress, version
from finback.ground import canonical
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import image, layer, manifest
from finback.oci.image import LAYER
from finback.oci.manifest import Descriptor, Document

METHOD = "zstd"
# Between 9 and 19 a layer shrinks by a few percent and takes ten times as long.
LEVEL = 9


def packed(store: Store, digest: Digest) -> Document:
    """The image with the manifest *digest*, which has uncompressed layers, as it travels; all of it is in the store.

    Raises:
        FinbackError: as `image.load` and the store.

    """
    found = image.load(store, digest)
    layers = [_layer(store, part) for part in found.document.layers]
    body = json.loads(found.document.body)
    document = json.dumps({**body, "layers": layers}, sort_keys=True, separators=(",", ":")).encode()
    store.put(document)
    return manifest.read(document)


def unpacked(store: Store, digest: Digest) -> Digest:
    """The digest of the manifest with uncompressed layers of the image whose manifest has *digest*; it is in the store.

    Raises:
        FinbackError: F180 or F181, a layer is not what the configuration says; as `image.load` and the store.

    """
    found = image.load(store, digest)
    assert found.document.config is not None
    plain = [layer.unpacked(part, store) for part in found.layers]
    config = store.read(found.document.config.digest, manifest.LIMIT)
    return image.write_manifest(store, plain, config)


def _layer(store: Store, part: Descriptor) -> dict[str, Any]:
    """The descriptor of a layer, compressed; what was compressed once is remembered."""
    key = canonical.digest(["packed layer", str(part.digest), METHOD, LEVEL, version(METHOD)])
    blob = store.recall(key, lambda value: Digest.parse(value["blob"]))
    if blob is None or not store.has(blob):
        with store.ingest() as ingest:
            for piece in compress(store.stream(part.digest), METHOD, LEVEL):
                ingest.write(piece)
        blob = ingest.digest
        store.remember(key, {"blob": str(blob), "layer": str(part.digest)})
    return {"mediaType": f"{LAYER}+{METHOD}", "digest": str(blob), "size": store.size(blob)}
