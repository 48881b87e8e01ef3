"""What of a store an image or a record of work needs: the blobs that are there and that it leads to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from finback.codec import strict_json
from finback.codec.strict_json import JsonError
from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import manifest

MEDIA_TYPES = manifest.MANIFESTS | manifest.INDEXES
# What is larger is no manifest and no configuration.
LIMIT = manifest.LIMIT
# Indexes in indexes that are followed.
DEPTH = 8


class Reach:
    """Follows manifests from digest to digest; each is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[Digest, frozenset[Digest]] = {}

    def of_manifest(self, digest: Digest) -> frozenset[Digest]:
        """The blobs in the store that the manifest or index leads to, itself among them.

        What of it is missing or damaged is not followed.
        """
        found: set[Digest] = set()
        left = [digest]
        while left:
            here = left.pop()
            if here in found or not self._store.path(here).exists():
                continue
            found.add(here)
            left += self._next(here)
        return frozenset(found)

    def of_record(self, value: Any) -> frozenset[Digest]:
        """The blobs in the store that a record names, and where these are manifests, what they lead to."""
        found: set[Digest] = set()
        for digest in digests(value):
            found |= self.of_manifest(digest)
        return frozenset(found)

    def is_whole(self, digest: Digest, depth: int = DEPTH) -> bool:
        """Whether nothing of the image is missing; of an index, nothing of those images that are there at all."""
        value = self._small(digest)
        if not isinstance(value, dict) or not depth:
            return False
        if "manifests" in value:
            return all(self.is_whole(d, depth - 1) for d in self._next(digest) if self._store.path(d).exists())
        config = _config(value)
        if config is None or not self._store.path(config).exists():
            return False
        layers = list(_parsed(_digests(value.get("layers"))))
        about = self._small(config)
        root = about.get("rootfs") if isinstance(about, dict) else None
        plain = list(_parsed(_listed(root.get("diff_ids")))) if isinstance(root, dict) else []
        plain = plain or layers
        return all(self._store.path(d).exists() for d in layers) or (
            len(plain) == len(layers) and all(self._store.path(d).exists() for d in plain)
        )

    def platforms(self, digest: Digest, depth: int = DEPTH) -> tuple[str, ...]:
        """The platforms of an image, or of those images of an index that are there."""
        value = self._small(digest)
        if not isinstance(value, dict) or not depth:
            return ()
        if "manifests" in value:
            return tuple(sorted({p for d in self._next(digest) for p in self.platforms(d, depth - 1)}))
        config = _config(value)
        about = self._small(config) if config is not None else None
        if not isinstance(about, dict) or not isinstance(about.get("architecture"), str):
            return ()
        words = (about.get("os"), about.get("architecture"), about.get("variant"))
        return ("/".join(w for w in words if isinstance(w, str) and w),)

    def _next(self, digest: Digest) -> frozenset[Digest]:
        if digest not in self._known:
            self._known[digest] = frozenset(_pointed_to(self._small(digest)))
        return self._known[digest]

    def _small(self, digest: Digest) -> Any:
        """The JSON object of a small blob; None when it is none."""
        path = self._store.path(digest)
        try:
            if path.stat().st_size > LIMIT:
                return None
            with path.open("rb") as stream:
                if stream.read(1) != b"{":
                    return None
                return strict_json.plain(b"{" + stream.read(LIMIT), limit=LIMIT + 1)
        except (OSError, JsonError):
            return None


def _pointed_to(value: Any) -> Iterator[Digest]:
    """What a manifest, an index or a configuration points to."""
    if not isinstance(value, dict):
        return
    words = [_digest(value.get("config"))]
    for key in ("layers", "manifests"):
        words += _digests(value.get(key))
    root = value.get("rootfs")
    words += _listed(root.get("diff_ids")) if isinstance(root, dict) else []
    yield from _parsed(words)


def _config(value: Mapping[str, Any]) -> Digest | None:
    return next(_parsed([_digest(value.get("config"))]), None)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _digest(descriptor: Any) -> Any:
    return descriptor.get("digest") if isinstance(descriptor, dict) else None


def _digests(descriptors: Any) -> list[Any]:
    return [_digest(d) for d in _listed(descriptors)]


def digests(value: Any) -> Iterator[Digest]:
    """All digests in JSON's types."""
    left = [value]
    while left:
        here = left.pop()
        if isinstance(here, dict):
            left += here.values()
        elif isinstance(here, list):
            left += here
        else:
            yield from _parsed((here,))


def _parsed(words: Iterable[Any]) -> Iterator[Digest]:
    for word in words:
        if isinstance(word, str) and word.startswith(("sha256:", "sha512:")):
            try:
                yield Digest.parse(word)
            except (ValueError, FinbackError):
                continue
