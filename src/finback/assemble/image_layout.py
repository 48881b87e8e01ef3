"""An image as a folder that programs of the guest can load it from: a volume of format `oci`.

The folder is an OCI image layout, and has the `manifest.json` of `docker save` as well, so that a tar of it is what
`docker load` takes.

Source: OCI image specification 1.1, image-layout.md; Docker's image specification 1.2, "Combined Image JSON +
Filesystem Changeset Format".
"""

from __future__ import annotations

import json

from finback.ground.digest import Digest
from finback.host.store import REF_NAME, Store
from finback.oci import manifest
from finback.oci.layout import IMAGE_NAME
from finback.oci.reference import Reference
from finback.tree.content import Inline, Slice
from finback.tree.entry import AnyEntry, Directory, File


def entries(store: Store, image: Digest, name: str, epoch: int) -> list[AnyEntry]:
    """The folder's entries for the manifest *image*, which its programs know as *name*."""
    document = manifest.read(store.read(image, manifest.LIMIT), manifest.MANIFEST)
    assert document.config is not None
    given = Reference.parse(name)
    called = given.familiar if given.tag else f"{given.familiar_name}:latest"
    descriptor = {**document.descriptor.written(), "annotations": {REF_NAME: called, IMAGE_NAME: called}}
    index = {"schemaVersion": 2, "mediaType": manifest.INDEX, "manifests": [descriptor]}
    listed = {
        "Config": _path(document.config.digest),
        "RepoTags": [called],
        "Layers": [_path(layer.digest) for layer in document.layers],
    }
    texts = {"oci-layout": {"imageLayoutVersion": "1.0.0"}, "index.json": index, "manifest.json": [listed]}
    made: list[AnyEntry] = [
        File(path=path, content=Inline(json.dumps(text, sort_keys=True).encode()), mode=0o644, mtime=epoch)
        for path, text in texts.items()
    ]
    needed = {document.digest, document.config.digest, *(layer.digest for layer in document.layers)}
    folders = {"blobs", *(f"blobs/{d.algorithm}" for d in needed)}
    made += [Directory(path=path, mtime=epoch) for path in sorted(folders)]
    made += [File(path=_path(d), content=Slice(d, 0, store.size(d)), mode=0o644, mtime=epoch) for d in sorted(needed)]
    return made


def _path(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.encoded}"
