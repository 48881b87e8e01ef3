"""Images to measure for tests: OCI layouts and archives of `docker save`, made by hand."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finback.codec import tar
from finback.codec.compress import compress
from finback.ground.digest import Digest
from finback.oci import image
from finback.oci.image import LAYER
from finback.oci.manifest import INDEX, MANIFEST
from finback.tree.content import Inline, read_inline
from finback.tree.entry import File


def layer(name: str) -> bytes:
    return b"".join(bytes(c) for c in tar.encode([File(path=name, content=Inline(name.encode()))], read_inline))


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


@dataclass
class Layout:
    """An OCI layout in the making, folder or tar."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    index: list[dict[str, Any]] = field(default_factory=list)

    def put(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        digest = str(Digest.of(data))
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data), **more}

    def image(self, name: str, platform: str = "amd64", compression: str = "none", **changes: Any) -> dict[str, Any]:
        architecture, _, variant = platform.partition("/")
        plain = layer(name)
        packed = b"".join(compress([plain], compression))
        suffix = "" if compression == "none" else f"+{compression}"
        config = {
            "os": "linux", "architecture": architecture, "config": {"Cmd": ["/a"]},
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(plain))]}, **changes,
        }  # fmt: skip
        if variant:
            config["variant"] = variant
        body = {
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": self.put(as_json(config), image.CONFIG), "layers": [self.put(packed, LAYER + suffix)],
        }  # fmt: skip
        about = {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}
        return self.put(as_json(body), MANIFEST, platform=about)

    def named(self, name: str, descriptor: dict[str, Any]) -> None:
        self.index.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})

    def files(self) -> dict[str, bytes]:
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.index}
        blobs = {f"blobs/{d.replace(':', '/')}": data for d, data in self.blobs.items()}
        return {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": as_json(index), **blobs}

    def write(self, path: Path, *, packed: bool = False) -> Path:
        if packed:
            path.write_bytes(packed_files(self.files()))
            return path
        for name, data in self.files().items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
        return path


def packed_files(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return out.getvalue()


def saved(tags: list[str], names: tuple[str, ...] = ("one", "two"), platform: str = "amd64") -> dict[str, bytes]:
    """What an old `docker save` writes."""
    layers = [layer(n) for n in names]
    config = as_json(
        {"os": "linux", "architecture": platform, "rootfs": {"type": "layers",
         "diff_ids": [str(Digest.of(data)) for data in layers]}}
    )  # fmt: skip
    path = f"{Digest.of(config).encoded}.json"
    listed = [{"Config": path, "RepoTags": tags, "Layers": [f"{n}/layer.tar" for n in names]}]
    return {
        path: config, "manifest.json": as_json(listed),
        **{f"{n}/layer.tar": data for n, data in zip(names, layers, strict=True)},
    }  # fmt: skip
