"""Kernel, initrd and command line as an artifact in an OCI image layout, in one tar that registry tools push.

Sources: OCI image specification 1.1, image-layout.md, and manifest.md, "Guidelines for Artifact Usage".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from finback.assemble.system import Contents, Piece, System
from finback.codec import disk, tar
from finback.ground.digest import Digest
from finback.oci.manifest import MANIFEST
from finback.outputs import Format, Options, Written
from finback.outputs._boot import parts
from finback.outputs.tar import TAR
from finback.tree.content import Content, Inline, Slice
from finback.tree.entry import Directory, File

ARTIFACT = "application/vnd.finback.system.v1"
PART = "application/vnd.finback.{}.v1"
EMPTY = "application/vnd.oci.empty.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def _archive(system: System, contents: Contents, options: Options) -> Iterator[Piece]:
    made = parts(system, contents, options)
    bodies: dict[str, Slice | Inline] = {
        "kernel": contents.keep(bytes(c) for c in disk.content(made.kernel, contents.read)),
        "initrd.img": contents.keep(bytes(c) for c in disk.content(made.initrd, contents.read)),
        "cmdline": Inline(made.cmdline.encode()),
    }
    blobs: dict[Digest, Content] = {}

    def put(kind: str, content: Slice | Inline) -> dict[str, Any]:
        digest = content.blob if isinstance(content, Slice) else Digest.of(content.data)
        blobs[digest] = content
        return {"mediaType": kind, "digest": str(digest), "size": content.size}

    created = datetime.fromtimestamp(system.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": ARTIFACT,
        "config": put(EMPTY, Inline(b"{}")),
        "layers": [
            {
                **put(PART.format(name.partition(".")[0]), body),
                "annotations": {"org.opencontainers.image.title": name},
            }
            for name, body in bodies.items()
        ],
        "annotations": {"org.opencontainers.image.created": created},
    }
    described = {
        **put(MANIFEST, Inline(_json(manifest))),
        "artifactType": ARTIFACT,
        "platform": {"os": system.platform.os, "architecture": system.platform.architecture},
        "annotations": {"org.opencontainers.image.ref.name": system.name},
    }
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [described]}
    files: dict[str, Content] = {
        "oci-layout": Inline(_json({"imageLayoutVersion": "1.0.0"})),
        "index.json": Inline(_json(index)),
        **{f"blobs/{d.algorithm}/{d.encoded}": c for d, c in blobs.items()},
    }
    yield from _tar(files, system, contents)


def _tar(files: Mapping[str, Content], system: System, contents: Contents) -> Iterator[Piece]:
    entries: list[Directory | File] = [Directory(path=p, mtime=system.epoch) for p in ("blobs", "blobs/sha256")]
    entries += [File(path=path, mtime=system.epoch, content=files[path]) for path in sorted(files)]
    for chunk in tar.encode(entries, contents.read):
        yield bytes(chunk)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(suffix="-oci.tar", role="layout", media_type=TAR, body=lambda: _archive(system, contents, options))


FORMAT = Format(write=write, needs_kernel=True, streamable=True)
