"""Archives of `docker save` before Docker 1.10: a folder `ID/` for each layer, with the files VERSION, json, layer.tar.

`repositories` maps names to the id of their uppermost layer; each layer's `json` names its parent. The configuration of
the image is made of the uppermost layer's, with the digests of the layers, as Docker does when it loads such a file.

Source: Docker image specification 1.0, "Combined Image JSON + Filesystem Changeset Format"; moby's
image/tarexport/load.go, `legacyLoad`, and image/v1/imagev1.go, `MakeConfigFromV1Config`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from finback.codec import strict_json
from finback.codec.strict_json import Node
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import docker_archive, files, image, layout, manifest
from finback.oci.files import Files

_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
# What of a layer's description is about that layer alone.
_OF_LAYER = frozenset({"id", "parent", "Size", "parent_id", "layer_id", "throwaway"})


def is_archive(found: Files) -> bool:
    """Whether it has the files of this form, and none of a later one."""
    return found.has("repositories") and not found.has("manifest.json")


def take(found: Files, name: str, platform: Platform, store: Store) -> Digest:
    """Put the image called *name* ("": the only one) into the store; its manifest's digest.

    Raises:
        FinbackError: F182 no such name, or several and none given; F185 a file can't be read; F171 not for this
            platform.

    """
    top = _named(_repositories(found), name, found.label)
    chain = _chain(found, top)
    about = dict(chain[0].object())
    image.check_platform(about, platform, found.label)
    layers = [docker_archive.stored(found, f"{_text(found, c, 'id')}/layer.tar", store) for c in reversed(chain)]
    config = {k: v for k, v in about.items() if k not in _OF_LAYER}
    config["rootfs"] = {"type": "layers", "diff_ids": [str(layer) for layer in layers]}
    body = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    image.parse_config(body, Digest.of(body))
    return image.write_manifest(store, layers, body)


def _repositories(found: Files) -> dict[str, str]:
    """The id of each name's uppermost layer."""
    try:
        names = strict_json.read(files.read(found, "repositories", manifest.LIMIT)).members()
        return {f"{name}:{tag}": i.text() for name, tags in names.items() for tag, i in tags.members().items()}
    except ValueError as failure:
        raise _unreadable(found, "repositories", failure) from None


def _named(known: Mapping[str, str], name: str, label: str) -> str:
    fitting = {i for n, i in known.items() if not name or i == name}
    for spelling in layout.spellings(name):
        fitting = fitting or {i for n, i in known.items() if layout.same_name(n, spelling)}
    if len(fitting) != 1:
        what = f"has no image {name}" if name else f"has {len(fitting)} images, and none is named"
        raise error("F182", f"{label} {what}", help=f"write PATH:NAME; its names are: {', '.join(known) or 'none'}")
    return fitting.pop()


def _chain(found: Files, top: str) -> Sequence[Node]:
    """The descriptions of the layers, the uppermost first."""
    chain: list[Node] = []
    identifier = top
    while identifier or not chain:
        path = f"{identifier}/json"
        if len(chain) == image.MAX_LAYERS or not _ID.fullmatch(identifier):
            raise _unreadable(found, path, ValueError("its layers have no end, or a name that is none"))
        try:
            described = strict_json.read(files.read(found, path, manifest.LIMIT))
            identifier = described.get("parent").text("")
        except ValueError as failure:
            raise _unreadable(found, path, failure) from None
        chain.append(Node({**described.object(), "id": path.partition("/")[0]}))
    return chain


def _text(found: Files, node: Node, key: str) -> str:
    try:
        return node.need(key).text()
    except ValueError as failure:
        raise _unreadable(found, key, failure) from None


def _unreadable(found: Files, path: str, failure: Exception) -> FinbackError:
    return error("F185", f"{path} in {found.label} can't be read: {failure}", help="make the archive anew")
