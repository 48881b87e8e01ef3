"""Built systems as OCI artefacts: a manifest whose layers are files with names, as ORAS has them.

Any client of registries can copy them and fetch the files; a configuration of our own says what machine they are for.

Source: OCI image specification 1.1, manifest.md, "Guidelines for Artifact Usage"; annotations.md; RFC 6838.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from finback.codec import strict_json
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.oci import manifest
from finback.oci.manifest import Descriptor, Document

SYSTEM = "application/vnd.finback.system.v1"
CONFIG = "application/vnd.finback.system.config.v1+json"
TITLE = "org.opencontainers.image.title"
# The last part of a file's name says what it is; the first that fits, fits.
_TYPES = (
    ("-kernel", "application/vnd.finback.system.kernel.v1"),
    ("-initrd.img", "application/vnd.finback.system.initrd.v1"),
    ("-cmdline", "application/vnd.finback.system.cmdline.v1"),
    # The registry of media types has these two.
    (".iso", "application/vnd.efi.iso"),
    ("-efi.img", "application/vnd.efi.img"),
    (".tar", "application/x-tar"),
    (".docker", "application/x-tar"),
    (".tar.gz", "application/gzip"),
    (".qcow2", "application/vnd.finback.disk.qcow2"),
    (".vmdk", "application/vnd.finback.disk.vmdk"),
    (".vhd", "application/vnd.finback.disk.vhd"),
    (".vhdx", "application/vnd.finback.disk.vhdx"),
    (".img", "application/vnd.finback.disk.raw"),
    (".raw", "application/vnd.finback.disk.raw"),
    (".ova", "application/x-tar"),
    (".efi", "application/vnd.finback.system.uki.v1"),
    (".deb", "application/vnd.debian.binary-package"),
    (".rpm", "application/x-rpm"),
)
"""What a built system consists of, by the end of a file's name."""
OTHER = "application/octet-stream"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+ -]{0,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFile:
    """A file of an artefact: its name, and where its bytes are."""

    name: str
    blob: Descriptor


def media_type(name: str) -> str:
    """The type of the file called *name*."""
    return next((kind for suffix, kind in _TYPES if name.endswith(suffix)), OTHER)


def described(name: str, digest: Digest, size: int) -> Descriptor:
    """What points to the file *name*."""
    return Descriptor(media_type=media_type(name), digest=digest, size=size, annotations={TITLE: name})


def config(platform: Platform | None) -> bytes:
    """The configuration of an artefact for *platform*."""
    body = {} if platform is None else {"architecture": platform.architecture, "os": platform.os}
    if platform is not None and platform.variant:
        body["variant"] = platform.variant
    return _json(body)


def write(
    files: Iterable[Descriptor],
    configuration: Descriptor,
    annotations: Mapping[str, str],
    subject: Descriptor | None = None,
) -> bytes:
    """The manifest of an artefact; it is about *subject*, if there is one."""
    body: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": manifest.MANIFEST,
        "artifactType": SYSTEM,
        "config": configuration.written(),
        "layers": [f.written() for f in files],
    }
    if annotations:
        body["annotations"] = dict(annotations)
    if subject is not None:
        body["subject"] = subject.written()
    return _json(body)


def files(document: Document, name: str) -> tuple[NamedFile, ...]:
    """The files of the artefact *name*, whose names are nothing but names.

    Raises:
        FinbackError: F174, a file has a name that could lead elsewhere, or none has a name.

    """
    found: dict[str, NamedFile] = {}
    for layer in document.layers:
        title = layer.annotations.get(TITLE, "")
        if not title:
            continue
        if not _NAME.fullmatch(title) or title in found:
            raise error(
                "F174",
                f"{name} has a file called {title[:80]!r}" + (" twice" if title in found else ""),
                help="names with folders in them are not taken from others; fetch it with another tool, and look",
            )
        found[title] = NamedFile(name=title, blob=layer)
    if not found:
        raise error(
            "F174",
            f"{name} is {document.kind or 'an artefact'}, without files that have names",
            help="finback pulls container images, and artefacts as `finback push registry` and ORAS make them",
        )
    return tuple(found.values())


def check_parts(found: Iterable[NamedFile], name: str) -> None:
    """Refuse files of the artefact *name* that are no parts of a built system: in a folder of the user they could be
    anything, such as a Makefile.

    Raises:
        FinbackError: F174, there is such a file.

    """
    known = [suffix for suffix, _ in _TYPES]
    for one in found:
        if not any(one.name.endswith(suffix) and one.name != suffix for suffix in known):
            raise error(
                "F174",
                f"{name} has a file called {one.name!r}, which is no part of a system",
                help=f"names that end in {', '.join(known)} are taken; fetch others with another tool, and look",
            )


def platform(configuration: bytes) -> Platform | None:
    """What a configuration that `config` made says; None when it says nothing.

    Raises:
        JsonError: it is none.

    """
    body = strict_json.read(configuration)
    architecture = body.get("architecture").text("")
    if not architecture:
        return None
    return Platform(body.get("os").text("linux") or "linux", architecture, body.get("variant").text(""))


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
