"""Registries: log in and out, pull, and push images of the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from finback.app.workspace import Workspace
from finback.codec.strict_json import JsonError
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.event import task
from finback.ground.platform import Platform
from finback.host import file
from finback.host.folder import make, scratch
from finback.host.machine import host_platform
from finback.host.store import Store
from finback.host.web import Request
from finback.oci import artifact, manifest
from finback.oci import pull as pulling
from finback.oci import push as pushing
from finback.oci.artifact import NamedFile
from finback.oci.auth import Authenticator
from finback.oci.credentials import Credential, Credentials
from finback.oci.manifest import Descriptor, Document
from finback.oci.push import Target
from finback.oci.reference import Reference
from finback.tree.content import Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What came of a pull."""

    reference: str
    digest: Digest
    """Of the manifest for the platform."""
    files: tuple[Path, ...]
    """Those of an artefact; a container image is in the store instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What came of a push."""

    reference: str
    digest: Digest
    """Of what the reference names now."""
    size: int
    """Of all blobs, whether they were sent or there already."""


def login(registry: str, credential: Credential, workspace: Workspace) -> str:
    """Try *credential*, and remember it; where it went.

    Raises:
        FinbackError: F205 the registry does not take it; F208 the file or helper can't be used; as `Client.ask`.

    """
    home = workspace.registries.get(registry).home
    proof = Authenticator(home.client, home.base, lambda _: credential)
    reply = home.client.ask(Request(url=home.url("")), limit=1 << 20, guard=proof.guard())
    if reply.status != 200:
        raise home.problem(replace(reply, body=b""), "its user")
    return Credentials.of_user().store(registry, credential)


def logout(registry: str) -> bool:
    """Forget the credentials for *registry*; whether there were any.

    Raises:
        FinbackError: F208, the file or helper can't be used.

    """
    return Credentials.of_user().erase(registry)


def pull(
    text: str, platform: Platform | None, folder: Path | None, workspace: Workspace, *, replace_files: bool = False
) -> Pulled:
    """Fetch what a reference names: an image into the store, an artefact's files also into *folder*, if there is one.

    The files appear in *folder* together or not at all. What is there is replaced with *replace_files* alone; of a
    symbolic link the link itself, never what it leads to.

    Raises:
        FinbackError: F171 not for this platform, F174 an artefact without good names, F178 a file is there already;
            F403, F404 or F405, the files can't be written; whatever fetching raises.

    """
    reference = named(text)
    wanted = platform or host_platform()
    found = pulling.pull(workspace.registries, reference, wanted, workspace.store, workspace.emit)
    if found.manifest.is_image or folder is None:
        return Pulled(reference=str(reference), digest=found.manifest.digest, files=())
    assert found.manifest.config is not None
    if platform is not None and found.manifest.config.media_type == artifact.CONFIG:
        made_for = _platform_of(found.manifest.config, reference, workspace.store)
        if made_for is not None and not manifest.fits(made_for, platform):
            raise manifest.lacks(str(reference), platform, [made_for])
    entries = artifact.files(found.manifest, str(reference))
    artifact.check_parts(entries, str(reference))
    files = _deliver(entries, folder, workspace.store, replace_files=replace_files)
    return Pulled(reference=str(reference), digest=found.manifest.digest, files=files)


def _platform_of(config: Descriptor, reference: Reference, store: Store) -> Platform | None:
    """The platform that the configuration of an artefact names."""
    try:
        return artifact.platform(store.read(config.digest, manifest.LIMIT))
    except JsonError as failure:
        raise error(
            "F170",
            f"the configuration of {reference} can't be read: {failure}",
            help="the artefact is faulty: push it anew, or leave out --arch",
        ) from None


def _deliver(entries: Iterable[NamedFile], folder: Path, store: Store, *, replace_files: bool) -> tuple[Path, ...]:
    """Write the files of an artefact into *folder*: first all beside their places, then each to its place."""
    places = {entry.name: folder / entry.name for entry in entries}
    blobs = {entry.name: entry.blob for entry in entries}
    for path in places.values():
        if path.is_dir() and not path.is_symlink():
            raise error("F178", f"{path} is a folder", help="choose another folder with --dir")
        if not replace_files and not _may_be_written(path, blobs[path.name]):
            what = "a symbolic link" if path.is_symlink() else "there already"
            raise error("F178", f"{path} is {what}", help="--force replaces it; --dir writes to another folder")
    make(folder)
    with scratch(folder) as work:
        for entry in entries:
            with file.scratch_file(work / entry.name) as out:
                file.append_verified(store, out, [Slice(entry.blob.digest, 0, entry.blob.size)])
        for name, path in places.items():
            # A rename replaces a symbolic link by the file, and follows none.
            file.rename(work / name, path)
    return tuple(places.values())


def _may_be_written(path: Path, blob: Descriptor) -> bool:
    """Whether nothing is lost when *blob* is written to *path*: nothing is there, or a file with the same bytes."""
    if path.is_symlink() or not path.exists():
        return not path.is_symlink()
    return (
        blob.digest.algorithm == "sha256" and file.size(path) == blob.size and file.sha256(path) == blob.digest.encoded
    )


def push_image(text: str, remote: str, platform: Platform | None, workspace: Workspace) -> Pushed:
    """Push what the store calls *text* (a name or a digest) to *remote*; with *platform* only that image of an index.

    Raises:
        FinbackError: F175 the store has no such image, or not all of it; whatever pushing raises.

    """
    store = workspace.store
    reference = named(remote or text)
    found = _in_store(text, workspace)
    if found.is_index and platform is not None:
        found = _stored(manifest.choose(found, platform, text).digest, workspace)
    target = _target(reference, workspace, source=text)
    images = [_stored(m.digest, workspace) for m in found.manifests] if found.is_index else [found]
    with task(workspace.emit, f"push {reference}", f"pushing {reference}"):
        for image in images:
            pushing.image(target, store, image, workspace.emit)
            if found.is_index:
                pushing.document(target, image.body, image.media_type, image.digest)
        pushing.document(target, found.body, found.media_type, reference.tag or found.digest)
    blobs = {d.digest: d.size for i in images for d in (*i.layers, *([i.config] if i.config else []))}
    return Pushed(reference=str(reference), digest=found.digest, size=sum(blobs.values()))


def named(text: str) -> Reference:
    """The reference in *text*; what has neither tag nor digest means `latest`."""
    reference = Reference.parse(text)
    return reference if reference.tag or reference.digest else replace(reference, tag="latest")


def _target(reference: Reference, workspace: Workspace, source: str) -> Target:
    if reference.digest:
        raise error("F043", f"{reference} names a digest, which nothing can be pushed to", help="name a tag")
    mount = ""
    if not source.startswith("sha256:"):
        other = Reference.parse(source)
        if other.registry == reference.registry and other.repository != reference.repository:
            mount = other.repository
    return Target(workspace.registries.get(reference.registry), reference.repository, mount)


def _in_store(text: str, workspace: Workspace) -> Document:
    if text.startswith(("sha256:", "sha512:")):
        try:
            return _stored(Digest.parse(text), workspace)
        except ValueError as failure:
            raise error("F030", str(failure), help="write sha256: and 64 hexadecimal digits") from None
    name = str(named(text))
    tagged = workspace.store.tagged(name)
    if tagged is None:
        raise error("F175", f"the store has no image {name}", help="`finback cache pull` puts one there")
    return _stored(Digest.parse(tagged["digest"]), workspace)


def _stored(digest: Digest, workspace: Workspace) -> Document:
    """A manifest that is in the store with all its blobs."""
    store = workspace.store
    found = manifest.read(store.read(digest, manifest.LIMIT)) if store.has(digest) else None
    wanted: tuple[Descriptor, ...] = ()
    if found is not None and found.config is not None:
        found = replace(found, digest=digest)
        wanted = (found.config, *found.layers) if found.config else ()
    if found is None or not all(store.has(d.digest) for d in wanted):
        raise error(
            "F175",
            f"the store has not all of image {digest}",
            help="`--arch ARCH` pushes the image of one architecture, `finback cache pull --arch ARCH` fetches another",
        )
    return found
