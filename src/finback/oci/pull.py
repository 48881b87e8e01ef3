"""An image, or any artefact, from a registry into the store: only what one platform needs, several blobs at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finback.codec.strict_json import JsonError
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.event import Emit, task
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import fan_out, image, manifest
from finback.oci.manifest import Descriptor, Document
from finback.oci.reference import Reference
from finback.oci.registry import Registries, Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What is in the store now."""

    named: Document
    """What the reference names: an index, or the manifest itself."""
    manifest: Document
    """What was chosen for the platform."""
    config: Mapping[str, Any]
    """The image's configuration; empty for other artefacts."""


def resolve(registry: Registry, reference: Reference, platform: Platform) -> tuple[Document, Document]:
    """What *reference* names, and the manifest in it for *platform*. Blobs are not fetched.

    Raises:
        FinbackError: F171 not for this platform, F172 indexes too deep; as `Registry.document`.

    """
    digest = Digest.parse(reference.digest) if reference.digest else None
    named = registry.document(reference.repository, digest or reference.tag or "latest")
    return named, manifest.search(named, platform, str(reference), _Opened(registry, reference))


@dataclass(frozen=True, slots=True)
class _Opened:
    """A repository, in which indexes are followed."""

    registry: Registry
    reference: Reference

    def document(self, entry: Descriptor) -> Document:
        """What *entry* points to."""
        repository = self.reference.repository
        found = self.registry.document(repository, entry.digest)
        if len(found.body) != entry.size:
            raise error(
                "F301",
                f"{repository}@{entry.digest} has {len(found.body)} bytes, and its index says {entry.size}",
                help="whoever made the index made a mistake; ask them",
            )
        return found

    def platform(self, document: Document) -> Platform | None:
        """What the image is made for."""
        assert document.config is not None
        body = self.registry.small(self.reference.repository, document.config)
        return image.made_for(image.parse_config(body, document.digest))


def pull(registries: Registries, reference: Reference, platform: Platform, store: Store, emit: Emit) -> Pulled:
    """Fetch what *reference* is for *platform*, unless it is there, and give it its name in the store.

    Raises:
        FinbackError: as `resolve`; as `Registry.download`.

    """
    registry = registries.get(reference.registry)
    with task(emit, f"image {reference}", f"image {_short(reference)}"):
        stored = _stored(reference, store)
        named, chosen = stored or resolve(registry, reference, platform)
        config = _config(registry, reference, chosen, store)
        if config:
            image.check_platform(config, platform, str(reference))
        fetch(registry, reference, chosen.layers, store, emit)
        _keep(store, chosen)
        _keep(store, named)
        if stored is None:
            # An index whose other platforms are not here is still what the name means.
            store.tag(str(reference), named.descriptor.written())
    return Pulled(named=named, manifest=chosen, config=config)


def fetch(registry: Registry, reference: Reference, blobs: tuple[Descriptor, ...], store: Store, emit: Emit) -> None:
    """Put *blobs* into the store, several at a time; the first failure ends all.

    Raises:
        FinbackError: as `Registry.download`.

    """

    def job(blob: Descriptor, advance: fan_out.Advance) -> str:
        try:
            registry.download(reference.repository, blob, store, advance)
        except FinbackError as failure:
            if blob.is_foreign and [d.code for d in failure.diagnostics] == ["F206"]:
                raise manifest.withheld(blob) from None
            raise
        return ""

    fan_out.run(_short(reference), [b for b in blobs if not store.has(b.digest)], job, emit)


def _stored(reference: Reference, store: Store) -> tuple[Document, Document] | None:
    """The manifest that *reference* pins by digest, when the store has it."""
    if not reference.digest:
        return None
    digest = Digest.parse(reference.digest)
    if not store.has(digest):
        return None
    found = manifest.read(store.read(digest, manifest.LIMIT))
    return None if found.is_index else (found, found)


def _config(registry: Registry, reference: Reference, document: Document, store: Store) -> Mapping[str, Any]:
    """The configuration of an image, fetched if need be; {} for other artefacts."""
    blob = document.config
    assert blob is not None
    if blob.size > manifest.LIMIT and document.is_image:
        raise error(
            "F302", f"the configuration of {reference} has {blob.size} bytes", help="it is not what it should be"
        )
    if not store.has(blob.digest):
        registry.download(reference.repository, blob, store, lambda _: None)
    if not document.is_image:
        return {}
    try:
        return image.decode_config(store.read(blob.digest, manifest.LIMIT))
    except JsonError as failure:
        raise error(
            "F170",
            f"the configuration of {reference} can't be read: {failure}",
            help="the image is faulty: use another version of it",
        ) from None


def _keep(store: Store, document: Document) -> None:
    if not store.has(document.digest):
        with store.ingest(document.digest, limit=len(document.body)) as ingest:
            ingest.write(document.body)


def _short(reference: Reference) -> str:
    return reference.familiar_name + (f":{reference.tag}" if reference.tag else "")
