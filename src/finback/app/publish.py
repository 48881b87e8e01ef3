"""Push what was built: files as one artefact, beside those for other machines if need be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from finback.app.machine.start import PARTS
from finback.app.registry import Pushed, named
from finback.app.workspace import Workspace
from finback.codec import linux_image
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.event import task
from finback.ground.platform import Platform
from finback.host import file
from finback.host.store import CHUNK
from finback.oci import artifact, manifest
from finback.oci import push as pushing
from finback.oci.manifest import Descriptor, Document
from finback.oci.push import Target
from finback.oci.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to push, and as what."""

    reference: str
    artifacts: tuple[str, ...]
    """Files, or names of builds: `talk` for talk-kernel and so on."""
    platform: Platform | None = None
    """Default: what the kernel among the files is made for."""
    add: bool = False
    """Put it into the index that the tag names, in place of what is there for the same platform."""
    subject: str = ""
    """A tag or digest of the same repository that the artefact is about."""
    annotations: Mapping[str, str] | None = None


def push_artifacts(request: Request, workspace: Workspace) -> Pushed:
    """Push files as one artefact.

    Raises:
        FinbackError: F043 the reference is no tag, F044 the files don't go together, F410 there is no such file, F176
            there is no index to add to; whatever pushing raises.

    """
    reference = named(request.reference)
    if reference.digest:
        raise error("F043", f"{reference} names a digest, which nothing can be pushed to", help="name a tag")
    paths = _files(request.artifacts)
    platform = request.platform or _made_for(paths)
    if request.add and platform is None:
        raise error("F044", "nothing says which machines these files are for", help="give --arch ARCH")
    target = Target(workspace.registries.get(reference.registry), reference.repository)
    known = target.registry.find(reference.repository, reference.tag) if request.add else None
    subject = _subject(request.subject, target)
    document = _keep(paths, platform, request.annotations or {}, subject, workspace)
    with task(workspace.emit, f"push {reference}", f"pushing {reference}"):
        pushing.image(target, workspace.store, document, workspace.emit)
        if request.add:
            assert platform is not None
            pushing.document(target, document.body, document.media_type, document.digest)
            body = _index(known, replace(document.descriptor, platform=platform), reference)
            digest = pushing.document(target, body, manifest.INDEX, reference.tag)
        else:
            digest = pushing.document(target, document.body, document.media_type, reference.tag)
    return Pushed(reference=str(reference), digest=digest, size=sum(d.size for d in document.layers))


def _files(names: tuple[str, ...]) -> tuple[Path, ...]:
    """The files that *names* are, or are the beginnings of."""
    found: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_file():
            found.append(path)
            continue
        parts = [p for p in (path.with_name(path.name + part) for part in PARTS) if p.is_file()] if path.name else []
        if not parts:
            raise error(
                "F410",
                f"there is no file {name}, nor {name}{PARTS[0]}",
                help="name files, or builds: talk for talk.yml",
            )
        found += parts
    titles = [p.name for p in found]
    twice = sorted({t for t in titles if titles.count(t) > 1})
    if twice:
        raise error(
            "F044", f"two files are called {twice[0]}", help="names are all that tells them apart in a registry"
        )
    return tuple(found)


def _made_for(paths: tuple[Path, ...]) -> Platform | None:
    """The platform of the kernel among *paths*."""
    for path in paths:
        if path.name.endswith(PARTS[0]):
            with file.opened(path) as stream:
                architecture = linux_image.architecture(stream.read(linux_image.HEAD))
            return Platform("linux", architecture) if architecture else None
    return None


def _subject(text: str, target: Target) -> Descriptor | None:
    if not text:
        return None
    digest = Digest.parse(text) if re.fullmatch(r"sha256:[0-9a-f]{64}", text) else None
    return replace(target.registry.document(target.repository, digest or text).descriptor, artifact_type="")


def _keep(
    paths: tuple[Path, ...],
    platform: Platform | None,
    annotations: Mapping[str, str],
    subject: Descriptor | None,
    workspace: Workspace,
) -> Document:
    """The artefact of *paths*, with all its blobs in the store."""
    store = workspace.store
    layers = []
    for path in paths:
        with file.opened(path) as stream, store.ingest() as ingest:
            while chunk := stream.read(CHUNK):
                ingest.write(chunk)
        layers.append(artifact.described(path.name, ingest.digest, ingest.size))
    body = artifact.config(platform)
    config = Descriptor(media_type=artifact.CONFIG, digest=store.put(body), size=len(body))
    return manifest.read(artifact.write(layers, config, annotations, subject), manifest.MANIFEST)


def _index(known: Document | None, entry: Descriptor, reference: Reference) -> bytes:
    """The index that *known* becomes with *entry*."""
    if known is not None and not known.is_index:
        raise error(
            "F176",
            f"{reference} is a single {'image' if known.is_image else 'artefact'}, and nothing can be added to it",
            help="push the first one with --add as well, or choose another tag",
        )
    others = [m for m in (known.manifests if known else ()) if m.platform != entry.platform]
    entries = sorted((*others, entry), key=lambda m: str(m.platform))
    return pushing.index(entries, **(known.annotations if known else {}))
