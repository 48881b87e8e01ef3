"""Images in archives of `docker save`: `manifest.json`, configurations, layers as uncompressed tars.

Since Docker 25 such an archive is an OCI layout as well, and is read as that. For an image of an older one a manifest
is made, of its configuration's very bytes and its uncompressed layers, so that an image has the same digest always.

Source: Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from finback.codec import strict_json
from finback.codec.decompress import decompress, detect, reader
from finback.codec.strict_json import Node
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import files, image, layer, layout, manifest
from finback.oci.files import Files

# As docker save, Podman and Skopeo name a configuration; `sha256:` as go-containerregistry does (crane, ko, kaniko).
_IDENTIFIER = re.compile(r"(?:blobs/sha256/|sha256:)?([0-9a-f]{64})(?:\.json)?\Z")


def take(found: Files, name: str, platform: Platform, store: Store) -> Digest:
    """Put the image called *name* ("": the only one) into the store; its manifest's digest.

    Raises:
        FinbackError: F182 no such name, or several and none given; F183 a file is not what it should be; F185 this is
            no such archive; F171 not for this platform; as `layout.take`.

    """
    try:
        listed = strict_json.read(files.read(found, "manifest.json", manifest.LIMIT), limit=manifest.LIMIT)
        entries = [_entry(e) for e in listed.items()]
    except ValueError as failure:
        raise error(
            "F185", f"manifest.json in {found.label} can't be read: {failure}", help="make the archive anew"
        ) from None
    path, _, layers = _named(entries, name, found.label)
    config = files.read(found, path, manifest.LIMIT)
    digest = Digest.of(config)
    said = _IDENTIFIER.match(path)
    if said and said[1] != digest.encoded:
        raise _damaged(found, path)
    parsed = image.parse_config(config, digest)
    image.check_platform(parsed, platform, found.label)
    return image.write_manifest(store, _layers(found, layers, parsed, store), config)


Listed = tuple[str, tuple[str, ...], tuple[str, ...]]


def _entry(entry: Node) -> Listed:
    """The path of the configuration, the names, and the paths of the layers."""
    names, layers = (tuple(word.text() for word in entry.get(key).items()) for key in ("RepoTags", "Layers"))
    return entry.need("Config").text(), names, layers


def _named(entries: Sequence[Listed], name: str, label: str) -> Listed:
    # One image may be listed once for each of its names.
    fitting = list({(e[0], e[2]): e for e in entries if not name or _identified(e[0], name)}.values())
    for spelling in layout.spellings(name):
        fitting = fitting or [e for e in entries if any(layout.same_name(tag, spelling) for tag in e[1])]
    if len(fitting) != 1:
        known = ", ".join(tag for e in entries for tag in e[1]) or "none"
        what = f"has no image {name}" if not fitting and name else f"has {len(fitting)} images, and none is named"
        raise error("F182", f"{label} {what}", help=f"write PATH:NAME; its names are: {known}")
    return fitting[0]


def _identified(path: str, name: str) -> bool:
    found = _IDENTIFIER.match(path)
    return found is not None and found[1] == name.removeprefix("sha256:")


def _layers(found: Files, paths: Sequence[str], config: Mapping[str, Any], store: Store) -> list[Digest]:
    said = config["rootfs"].get("diff_ids") or ()
    if len(said) != len(paths):
        raise error(
            "F183",
            f"{found.label} has {len(paths)} layers of an image whose configuration says {len(said)}",
            help="make the archive anew",
        )
    digests = []
    for path, text in zip(paths, said, strict=True):
        try:
            digest = Digest.parse(text)
        except ValueError:
            raise _damaged(found, path) from None
        if not store.has(digest):
            _copy(found, path, digest, store)
        digests.append(digest)
    return digests


def _copy(found: Files, path: str, digest: Digest, store: Store) -> None:
    """Take a layer; some programs compress what the format wants uncompressed."""
    try:
        with store.ingest(digest) as ingest:
            for piece in _plain(found.stream(path)):
                ingest.write(piece)
    except ValueError:
        raise _damaged(found, path) from None
    except FinbackError as failure:
        if failure.diagnostics[0].code != "F301":
            raise
        raise _damaged(found, path) from None


def stored(found: Files, path: str, store: Store) -> Digest:
    """Take a layer of which nobody says what its digest is.

    Raises:
        FinbackError: F183, it can't be decompressed; as the store.

    """
    try:
        with store.ingest() as ingest:
            for piece in _plain(found.stream(path)):
                ingest.write(piece)
    except ValueError:
        raise _damaged(found, path) from None
    return ingest.digest


def _plain(chunks: Iterator[bytes]) -> Iterator[bytes]:
    head = next(chunks, b"")
    return decompress(reader(chain((head,), chunks)), detect(head), layer.MOST)


def _damaged(found: Files, path: str) -> FinbackError:
    return error("F183", f"{path} in {found.label} is not what its digest says", help="make the archive anew")
