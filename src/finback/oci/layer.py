"""Layers made ready to be read at any place: uncompressed, in the store under their diff ID.

A compressed layer is read once, as a stream: its digest and its diff ID are checked on the way.

Source: OCI image specification 1.1, layer.md, and config.md, "Layer DiffID".
"""

from __future__ import annotations

from itertools import chain

from finback.codec.decompress import decompress, detect, reader
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci.image import Layer

MIB = 1 << 20
MOST = 64 * 1024 * MIB


def unpacked(layer: Layer, store: Store) -> Digest:
    """The stored blob of the layer's uncompressed bytes, made when it is not there.

    Raises:
        FinbackError: F180 the layer is damaged or a bomb, F181 it has another diff ID; F401 the store has damaged it,
            F402 it is not there, F403 no space.

    """
    if layer.digest == layer.diff_id:
        return layer.digest
    if store.has(layer.diff_id):
        return layer.diff_id
    with store.lock(f"layer-{layer.diff_id.short}"):
        if not store.has(layer.diff_id):
            _unpack(layer, store)
    return layer.diff_id


def _unpack(layer: Layer, store: Store) -> None:
    try:
        with store.ingest(layer.diff_id) as ingest:
            chunks = store.stream(layer.digest)
            head = next(chunks, b"")
            for piece in decompress(reader(chain((head,), chunks)), detect(head), MOST):
                ingest.write(piece)
    except ValueError as failure:
        # When the store is to blame, that comes first.
        store.verified(layer.digest)
        raise error("F180", f"layer {layer.digest} {failure}", help="use another version of the image") from None
    except FinbackError as failure:
        if failure.diagnostics[0].code != "F301":
            raise
        store.verified(layer.digest)
        raise error(
            "F181",
            f"layer {layer.digest} does not unpack to {layer.diff_id}, as its image says",
            help="whoever made the image made a mistake, or means harm: use another one",
        ) from None
