"""The files that `extends` names: a path, an assembly that finback brings, an artefact of a registry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from finback.app.settings import data_folder
from finback.app.workspace import Workspace
from finback.ground.diagnostic import blame, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.ground.source import Source, Span
from finback.host import environment, file
from finback.spec.extend import Parent
from finback.spec.settings import did_you_mean

LIMIT = 4 << 20
SUFFIXES = (".yml", ".yaml")
ASSEMBLY = "finback/"
STDIN = "<stdin>"


class Parents:
    """Gets them, each as the lock has it. *lock_folder*: what paths in the lock are relative to."""

    def __init__(
        self, workspace: Workspace, platform: Platform, locked: Mapping[str, Digest], lock_folder: Path, *, frozen: bool
    ) -> None:
        self._workspace = workspace
        self._platform = platform
        self._locked = locked
        self._folder = lock_folder
        self._frozen = frozen

    def __call__(self, reference: str, span: Span) -> Parent:
        """The file that *reference*, at *span*, names.

        Raises:
            FinbackError: F091, it names nothing; F094, it is in an artefact without such a file; F602, F603, the lock
                pins another one or none; whatever reading and fetching raise.

        """
        with blame(span):
            if reference.endswith(SUFFIXES) or reference.startswith(("./", "../", "/", "~/")):
                found = self._path(reference, span)
            elif reference.startswith(ASSEMBLY) or "/" not in reference:
                found = self._assembly(reference.removeprefix(ASSEMBLY))
            else:
                found = self._artefact(reference)
            if self._frozen:
                self._check(found)
        return found

    def _check(self, found: Parent) -> None:
        locked = self._locked.get(found.reference)
        if locked is None:
            raise error(
                "F602",
                f"{found.reference} is not in the lock",
                help="build once without --frozen, or run `finback lock`, and commit the lock file",
            )
        if locked != found.digest:
            raise error(
                "F603",
                f"{found.reference} is {found.digest}, and the lock pins {locked}",
                help="take back what has changed in it, or run `finback lock` and commit the lock file",
            )

    def _path(self, reference: str, span: Span) -> Parent:
        if is_remote(span.source):
            raise error(
                "F093",
                f"{span.source.name} is from a registry, and names a file of this machine",
                help="let it extend an assembly or an artefact, or push the files joined",
            )
        base = Path() if span.source.name == STDIN else Path(span.source.name).parent
        path = Path(os.path.normpath(base / environment.expanded(reference)))
        if not path.is_file():
            near = sorted(p.name for p in path.parent.glob("*") if p.suffix in SUFFIXES) if path.parent.is_dir() else []
            advice = did_you_mean(path.name, near, "paths are relative to the file that names them")
            raise error("F091", f"there is no file {path}", help=advice)
        known = os.path.relpath(path, self._folder)
        return self._read(path, known)

    def _assembly(self, name: str) -> Parent:
        folder = data_folder("assemblies")
        names = sorted(p.name for p in folder.iterdir() if (p / f"{p.name}.yml").is_file())
        if name not in names:
            advice = did_you_mean(name, names, f"assemblies are: {', '.join(names)}; a file's name ends in .yml")
            raise error("F091", f"finback brings no assembly {name!r}", help=advice)
        return self._read(folder / name / f"{name}.yml", ASSEMBLY + name)

    def _read(self, path: Path, known: str) -> Parent:
        data = file.read(path, limit=LIMIT)
        return Parent(reference=known, source=_source(str(path), data), digest=Digest.of(data))

    def _artefact(self, reference: str) -> Parent:
        from finback.oci import artifact, manifest, pull
        from finback.oci.reference import Reference

        wanted = Reference.parse(reference)
        store, registry = self._workspace.store, self._workspace.registries.get(wanted.registry)
        locked = self._locked.get(str(wanted))
        if locked is not None and not wanted.digest:
            known = Reference.parse(f"{wanted.registry}/{wanted.repository}@{locked}")
        else:
            known = wanted
        pinned = Digest.parse(known.digest) if known.digest else None
        if pinned is not None and store.has(pinned):
            document = manifest.read(store.read(pinned, manifest.LIMIT))
        else:
            _, document = pull.resolve(registry, known, self._platform)
            store.put(document.body)
        files = [f for f in artifact.files(document, str(wanted)) if f.name.endswith(SUFFIXES)]
        if len(files) != 1:
            what = f"{len(files)} YAML files" if files else "no YAML file"
            advice = "push one with it: `finback push registry REF FILE.yml`"
            raise error("F094", f"{wanted} has {what}", help=advice)
        blob = files[0].blob
        if blob.size > LIMIT:
            raise error(
                "F302", f"{files[0].name} of {wanted} has {blob.size} bytes", help="it is not what it should be"
            )
        registry.download(wanted.repository, blob, store, lambda _: None)
        name = f"{wanted.registry}/{wanted.repository}@{document.digest}/{files[0].name}"
        source = _source(name, store.read(blob.digest, LIMIT))
        return Parent(reference=str(wanted), source=source, digest=document.digest)


def is_remote(source: Source) -> bool:
    """Whether *source* is from a registry, so that it may name nothing of this machine."""
    return "@sha256:" in source.name


def _source(name: str, data: bytes) -> Source:
    return Source(name, data.decode("utf-8", "surrogateescape"))
