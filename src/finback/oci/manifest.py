"""Manifests and indexes as values, and the choice of a platform from an index.

Source: OCI image specification 1.1, manifest.md, image-index.md, descriptor.md; Docker's image manifest, version 2,
schema 2, whose manifests and lists have the same fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from finback.codec import strict_json
from finback.codec.strict_json import JsonError, Node
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = frozenset({MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({INDEX, DOCKER_LIST})
ACCEPT = f"{INDEX}, {MANIFEST}, {DOCKER_LIST}, {DOCKER_MANIFEST}"
CONFIGS = frozenset({"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"})
EMPTY = "application/vnd.oci.empty.v1+json"
# Indexes in indexes, which the specification allows, and documents that are read to find an image.
DEPTH = 4
MAX_READ = 32
# What registries must take at least. Source: distribution specification 1.1, "Pushing Manifests".
LIMIT = 4 << 20
_FOREIGN = re.compile(r"foreign|nondistributable")
_SPELLED = {
    "x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386", "i686": "386",
    "armhf": ("arm", "v7"), "armel": ("arm", "v6"),
}  # fmt: skip
# What an architecture's images without a variant are for.
_BASE = {"amd64": (1, 0), "arm64": (8, 0), "arm": (7, 0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What points to some bytes."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The descriptor as it was written, with whatever else it says."""

    @property
    def is_index(self) -> bool:
        """Whether it points to an index."""
        return self.media_type in INDEXES

    @property
    def is_foreign(self) -> bool:
        """Whether registries are not meant to hand it out. Source: image specification 1.0, layer.md."""
        return _FOREIGN.search(self.media_type) is not None

    @property
    def may_be_image(self) -> bool:
        """Whether it can point to an image, or to an index of images: not to what is said of one (BuildKit's
        attestations, signatures, bills of materials), nor to something of another type.
        """
        about = self.annotations.get("vnd.docker.reference.type", "")
        unknown = self.platform is not None and self.platform.os == "unknown"
        known = self.media_type in MANIFESTS | INDEXES
        return known and not about and not unknown and self.artifact_type in ("", *CONFIGS)

    def written(self) -> dict[str, Any]:
        """As JSON's types."""
        out: dict[str, Any] = {**self.data, "mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.platform is not None and "platform" not in out:
            names = {"architecture": self.platform.architecture, "os": self.platform.os}
            out["platform"] = {**names, **({"variant": self.platform.variant} if self.platform.variant else {})}
        if self.artifact_type:
            out["artifactType"] = self.artifact_type
        if self.annotations:
            out["annotations"] = dict(self.annotations)
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A manifest or an index, and its bytes."""

    digest: Digest
    media_type: str
    body: bytes = field(repr=False)
    config: Descriptor | None = None
    """None for an index."""
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    """Of an index."""
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    subject: Descriptor | None = None

    @property
    def is_index(self) -> bool:
        """Whether it is an index."""
        return self.config is None

    @property
    def is_image(self) -> bool:
        """Whether it is a container image, not some other artefact."""
        return self.config is not None and self.config.media_type in CONFIGS

    @property
    def descriptor(self) -> Descriptor:
        """What points to it."""
        return Descriptor(
            media_type=self.media_type, digest=self.digest, size=len(self.body),
            artifact_type="" if self.is_index or self.is_image else self.kind, annotations={},
        )  # fmt: skip

    @property
    def kind(self) -> str:
        """What sort of artefact it is. Source: image specification 1.1, manifest.md, `artifactType`."""
        return self.artifact_type or (self.config.media_type if self.config else "")


def read(body: bytes, media_type: str = "", *, of: str = "what the store has") -> Document:
    """The document in *body*, which was sent as *media_type*; a message calls it *of*.

    A document that does not say its type, and was not sent as one that finback knows, is taken for one of OCI's.

    Raises:
        FinbackError: F170, it is none that finback reads.

    """
    try:
        document = strict_json.read(body, limit=LIMIT)
        data = document.object()
        sent = media_type.partition(";")[0].strip()
        usual = INDEX if "manifests" in data else MANIFEST
        said = document.get("mediaType").text("") or (sent if sent in MANIFESTS | INDEXES else usual)
        if "manifests" in data and ("layers" in data or "config" in data):
            # Two programs could see different images in it (CVE-2021-41190).
            raise JsonError("it is manifest and index at once")
        if data.get("schemaVersion") != 2:
            raise JsonError(f"its schema is {data.get('schemaVersion')!r}, not 2")
        found = _index(document, body, said) if "manifests" in data else _manifest(document, body, said)
    except ValueError as failure:
        raise _bad(of, str(failure)) from None
    return found


def _index(data: Node, body: bytes, said: str) -> Document:
    if said not in INDEXES:
        raise JsonError(f"it has manifests, and says that it is {said}")
    return Document(
        digest=Digest.of(body),
        media_type=said,
        body=body,
        manifests=tuple(_descriptor(m) for m in data.get("manifests").items()),
        artifact_type=data.get("artifactType").text(""),
        annotations=data.get("annotations").texts(),
    )


def _manifest(data: Node, body: bytes, said: str) -> Document:
    if said not in MANIFESTS:
        raise JsonError(f"it says that it is {said}")
    layers = tuple(_descriptor(layer) for layer in data.get("layers").items())
    return Document(
        digest=Digest.of(body),
        media_type=said,
        body=body,
        config=_descriptor(data.need("config")),
        layers=layers,
        artifact_type=data.get("artifactType").text(""),
        annotations=data.get("annotations").texts(),
        subject=_descriptor(data.get("subject")) if data.get("subject") else None,
    )


def _descriptor(data: Node) -> Descriptor:
    known = {"mediaType", "digest", "size", "artifactType", "annotations"}
    return Descriptor(
        media_type=data.need("mediaType").text(),
        digest=_digest(data.need("digest")),
        size=data.need("size").integer(),
        platform=_platform(data.get("platform")),
        artifact_type=data.get("artifactType").text(""),
        annotations=data.get("annotations").texts(),
        data={k: v for k, v in data.object().items() if k not in known},
    )


def _digest(data: Node) -> Digest:
    try:
        return Digest.parse(data.text())
    except JsonError:
        raise
    except ValueError as failure:
        raise JsonError(f"{data.path}: {failure}") from None


def _platform(data: Node) -> Platform | None:
    if not data.object():
        return None
    return platform(data.get("os").text(""), data.need("architecture").text(), data.get("variant").text(""))


def platform(system: str, architecture: str, variant: str) -> Platform:
    """A platform in the specification's words, whatever words its maker used.

    Source: containerd's platforms/database.go, `normalizeArch`, `normalizeOS`.
    """
    name = _SPELLED.get(architecture.lower(), architecture)
    name, implied = name if isinstance(name, tuple) else (name, "")
    chosen = variant or implied
    return Platform(system or "linux", name, f"v{chosen}" if chosen.isdecimal() else chosen)


def choose(document: Document, wanted: Platform, name: str) -> Descriptor:
    """The entry of the index *document* for *wanted*, by what the index itself says: of its variants the newest that it
    can run, and of equal ones the first.

    Raises:
        FinbackError: F171, there is none.

    """
    found = candidates(document, wanted)
    if found and (found[0].platform is not None or len(found) == 1):
        return found[0]
    raise lacks(name, wanted, [m.platform for m in _offered(document)])


def candidates(document: Document, wanted: Platform) -> list[Descriptor]:
    """The entries of the index *document* that may lead to an image for *wanted*, the best first; those that do not say
    what they are for come last.
    """
    entries = _offered(document)
    fitting = [(level, -n, m) for n, m in enumerate(entries) if (level := _level(m.platform, wanted)) is not None]
    ranked = [m for _, _, m in sorted(fitting, key=lambda f: f[:2], reverse=True)]
    return ranked + [m for m in entries if m.platform is None]


def _offered(index: Document) -> list[Descriptor]:
    """The entries of *index* that can be chosen: images and indexes of them. An index without any is one of artefacts,
    such as built systems; all of its entries can be chosen then.
    """
    return [m for m in index.manifests if m.may_be_image] or list(index.manifests)


class Opened(Protocol):
    """Where indexes and manifests are read: a registry, a layout."""

    def document(self, entry: Descriptor) -> Document:
        """What *entry* points to, checked."""

    def platform(self, document: Document) -> Platform | None:
        """What an image is made for, by its own configuration; None when that does not say."""


def search(document: Document, wanted: Platform, name: str, place: Opened) -> Document:
    """The image for *wanted* that *document* is or leads to, through indexes in indexes.

    Raises:
        FinbackError: F171, there is none; F172, the indexes are nested too deep, or there are too many of them.

    """
    if not document.is_index:
        return document
    search = _Search(wanted, name, place)
    found = search.within(document, DEPTH)
    if found is None:
        raise lacks(name, wanted, search.offered)
    return found


class _Search:
    def __init__(self, wanted: Platform, name: str, place: Opened) -> None:
        self._wanted = wanted
        self._name = name
        self._place = place
        self._left = MAX_READ
        self.offered: list[Platform | None] = []

    def within(self, index: Document, depth: int) -> Document | None:
        if not depth:
            raise self._endless(f"indexes within indexes, {DEPTH} deep")
        self.offered += [m.platform for m in _offered(index)]
        listed = candidates(index, self._wanted)
        for entry in listed:
            self._left -= 1
            if self._left < 0:
                raise self._endless(f"more than {MAX_READ} entries that do not say what they are for")
            document = self._place.document(entry)
            found = self.within(document, depth - 1) if document.is_index else self._image(document, entry, len(listed))
            if found is not None:
                return found
        return None

    def _image(self, document: Document, entry: Descriptor, listed: int) -> Document | None:
        if entry.platform is not None or listed == 1:
            return document
        offered = self._place.platform(document) if document.is_image else None
        self.offered.append(offered)
        return document if offered is None or fits(offered, self._wanted) else None

    def _endless(self, why: str) -> FinbackError:
        return error("F172", f"{self._name}: {why}", help="name a manifest by its digest")


def fits(offered: Platform, wanted: Platform) -> bool:
    """Whether what is made for *offered* runs on *wanted*."""
    return _level(offered, wanted) is not None


def lacks(name: str, wanted: Platform, offered: list[Platform | None]) -> FinbackError:
    """The error for an image that is not to be had for *wanted*."""
    known = sorted({str(p) for p in offered if p is not None and p.os != "unknown"})
    return error(
        "F171",
        f"{name} is not to be had for {wanted}",
        help=f"it is for: {', '.join(known)}" if known else "it does not say what it is for",
    )


def withheld(layer: Descriptor) -> FinbackError:
    """The error for a layer that its maker forbids registries to hand out, and that is not there."""
    return error(
        "F173",
        f"layer {layer.digest} is of type {layer.media_type}: its maker forbids registries to hand it out",
        help="use an image without such layers; they come with Windows",
    )


def _level(offered: Platform | None, wanted: Platform) -> tuple[int, int] | None:
    """The level of the instruction set that *offered* uses, None when *wanted* has not got it."""
    if offered is None or (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return None
    base = _BASE.get(wanted.architecture, (0, 0))
    levels = []
    for variant in (offered.variant, wanted.variant):
        found = re.fullmatch(r"v(\d{1,3})(?:\.(\d{1,3}))?", variant)
        if variant and not found:
            return base if offered.variant == wanted.variant else None
        levels.append((int(found[1]), int(found[2] or 0)) if found else base)
    return levels[0] if levels[0] <= levels[1] else None


def _bad(of: str, why: str) -> FinbackError:
    return error(
        "F170",
        f"{of} is no manifest that finback reads: {why}",
        help="images of OCI and of Docker's schema 2 are read; pull and push an older one anew with a current tool",
    )
