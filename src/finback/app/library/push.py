"""Publish the library: an image index for each component, so that nobody who uses it needs a Debian mirror.

Layers are compressed for the way. The pin that goes with an image names the digest that a build from packages gives it,
which whoever takes the image compares (decision 16): a lock that was written with one holds with the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from finback.app.library.build import Job, built, jobs_for
from finback.app.workspace import Workspace
from finback.ground.diagnostic import Diagnostic, FinbackError, error
from finback.ground.event import task
from finback.ground.platform import ARCHITECTURES, Platform
from finback.oci import fan_out, manifest, packed
from finback.oci import push as pushing
from finback.oci.manifest import Descriptor, Document
from finback.oci.push import Target
from finback.oci.reference import Reference
from finback.resolve import published
from finback.resolve.plan import ImagePin

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to publish, and where."""

    reference: str
    """A prefix of repositories, with the tag that all of them get: `registry.example.com/finback:2026.11`."""
    names: tuple[str, ...] = ()
    platforms: tuple[Platform, ...] = ()
    """Default: every architecture that anything was built for."""
    add: bool = False
    """Keep what the tags have for other architectures."""
    incomplete: bool = False
    """Push what there is, though something was not built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A component in the registry."""

    reference: str
    digest: str
    """Of its index."""
    platforms: tuple[str, ...]
    size: int
    """Of all its blobs, whether they were sent or there already."""


def push_library(request: Request, workspace: Workspace) -> tuple[Published, ...]:
    """Push what `build_library` made.

    Raises:
        FinbackError: F043 the reference names a digest; F175 something was not built; whatever pushing raises.

    """
    base = Reference.parse(request.reference)
    if base.digest:
        raise error("F043", f"{base} names a digest, which nothing can be pushed to", help="name a tag, or nothing")
    pins = _pins(request, workspace)
    registry = workspace.registries.get(base.registry)
    out = []
    for name in sorted({job.name for job in pins}):
        target = Target(registry, f"{base.repository}/{name}")
        chosen = {job.platform: pin for job, pin in pins.items() if job.name == name}
        reference = Reference(base.registry, target.repository, base.tag or "latest")
        with task(workspace.emit, f"push {reference}", f"pushing {reference}"):
            out.append(_push(reference, target, chosen, request, workspace))
    return tuple(out)


def _pins(request: Request, workspace: Workspace) -> dict[Job, ImagePin]:
    everywhere = tuple(Platform("linux", a) for a in ARCHITECTURES)
    found = {
        job: built(job, workspace.store) for job in jobs_for(request.names, request.platforms or everywhere, workspace)
    }
    if not request.platforms:
        some = {job.platform for job, pin in found.items() if pin is not None}
        found = {job: pin for job, pin in found.items() if job.platform in some}
    missing = [job for job, pin in found.items() if pin is None]
    if not found or len(missing) == len(found):
        raise error("F175", "nothing of the library was built", help="run `finback library build --all --arch ARCH`")
    if missing and not request.incomplete:
        raise FinbackError(
            Diagnostic(
                code="F175",
                message=f"{len(missing)} of {len(found)} images of the library were not built",
                notes=tuple(f"{job.name} for {job.platform.architecture}" for job in missing[:SHOWN]),
                help="run `finback library build`, or give --incomplete to push what there is",
            )
        )
    return {job: pin for job, pin in found.items() if pin is not None}


def _push(
    reference: Reference, target: Target, pins: dict[Platform, ImagePin], request: Request, workspace: Workspace
) -> Published:
    store = workspace.store
    documents: dict[Platform, Document] = {}
    for platform, pin in pins.items():
        assert pin.digest is not None
        title = f"compressing {reference.familiar_name} ({platform.architecture})"
        with task(workspace.emit, f"pack {pin.digest}", title):
            documents[platform] = packed.packed(store, pin.digest)
    blobs = [b for d in documents.values() if d.config for b in (d.config, *d.layers)]
    fan_out.run(
        target.repository, blobs, lambda blob, advance: pushing.blob(target, store, blob, advance), workspace.emit
    )
    entries = {}
    for platform, document in documents.items():
        pushing.document(target, document.body, document.media_type, document.digest)
        # What a lock names is found by this tag when the library's own tag has moved on.
        pushing.document(target, document.body, document.media_type, published.tag(pins[platform].digest))
        notes = {published.PIN: published.encode(pins[platform])}
        entries[platform] = replace(document.descriptor, platform=platform, annotations=notes)
    known = target.registry.find(target.repository, reference.tag) if request.add else None
    others = {m.platform: m for m in (known.manifests if known else ()) if m.platform is not None}
    body = _index({**others, **entries}, reference, pins, workspace)
    digest = pushing.document(target, body, manifest.INDEX, reference.tag)
    return Published(
        reference=str(reference),
        digest=str(digest),
        platforms=tuple(sorted(str(p) for p in {**others, **entries})),
        size=sum({b.digest: b.size for b in blobs}.values()),
    )


def _index(
    entries: dict[Platform, Descriptor], reference: Reference, pins: dict[Platform, ImagePin], workspace: Workspace
) -> bytes:
    name = reference.repository.rsplit("/", 1)[1]
    version = next((pin.version for pin in pins.values() if pin.version), "")
    annotations = {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.description": workspace.library.get(name).definition.summary,
    }
    if version:
        annotations["org.opencontainers.image.version"] = version
    return pushing.index([e for _, e in sorted(entries.items())], **annotations)
