"""The files of a build: where they go, how they appear together, and what the lock file says of their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from finback import __version__
from finback.app.planning import Inputs, read_lock
from finback.assemble.system import Compression, Piece
from finback.codec import compress
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.host import beside, file
from finback.host.file import Stage
from finback.host.store import Store
from finback.outputs import Format, Options, Written
from finback.resolve.lock import Made
from finback.resolve.plan import Plan
from finback.tree.content import Hole, Slice

# The error for an output that is not what the lock pins.
UNLIKE = "F600"
CHUNK = 1 << 20
Chosen = Sequence[tuple[str, Format, Options]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a build made."""

    path: Path
    role: str
    media_type: str
    size: int
    format: str
    suffix: str = ""
    """What the format adds to the build's name, also where another path was asked for."""
    digest: Digest | None = None
    """Of its bytes, as `digest_of`; None where they went to something that is no file."""
    memory: int | None = None
    """MiB of memory with which the machine boots from it, where it has an initrd; services may need more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to make and where to put it."""

    formats: tuple[str, ...] = ()
    """Default: the spec's `outputs`, or kernel+initrd."""
    folder: Path = Path()
    stream: BinaryIO | None = None
    """Write the one file of a streamable format here instead of into the folder."""
    file: Path | None = None
    """Write the one file of a streamable format to this path."""
    compression: Compression | None = None
    size: str | None = None
    """Size of disks, such as `4G`."""
    check: bool = True
    """Refuse what can't boot."""
    remember: bool = False
    """Note the digests of what was made in the lock file, unless it is frozen."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files go, and what their names begin with."""

    target: Target
    name: str

    def path(self, suffix: str) -> Path:
        """The path of the file with *suffix*."""
        return self.target.file or self.target.folder / f"{self.name}{suffix}"


def sweep(place: Place, outputs: Iterable[tuple[str, tuple[Written, ...]]]) -> None:
    """Remove what killed builds of this name have left where the files go."""
    paths = {place.path(written.suffix) for _, files in outputs for written in files}
    for folder in {p.parent for p in paths}:
        names = {p.name for p in paths if p.parent == folder}
        prefix = place.name if place.target.file is None else None
        beside.sweep(folder, partial(_is_ours, names, prefix))


def _is_ours(names: Collection[str], build: str | None, name: str) -> bool:
    """Whether *name* is one of *names*, or that of an output of *build*: `web-kernel` and `web.iso`, not `web2.iso`."""
    rest = name[len(build) :] if build is not None and name.startswith(build) else ""
    return name in names or rest.startswith(("-", "."))


def write(name: str, outputs: Iterable[Written], place: Place, stage: Stage, store: Store) -> list[Artifact]:
    """Write the files of the format *name* into *stage*.

    Raises:
        FinbackError: F401 a damaged blob, which has been removed; F403, F404 or F405, a file can't be written.

    """
    made = []
    for written in outputs:
        path = place.path(written.suffix)
        with stage.writing(path) as out:
            poured = _pour(written, out, store)
        digest = None if file.is_special(path) else digest_of(stage.hidden(path), poured.holes)
        made.append(
            Artifact(
                path=path,
                role=written.role,
                media_type=written.media_type,
                size=poured.size,
                format=name,
                suffix=written.suffix,
                digest=digest,
            )
        )
    return made


def linked(
    outputs: Iterable[tuple[str, tuple[Written, ...]]], made: Iterable[Artifact], place: Place, stage: Stage
) -> list[Artifact]:
    """The files that have a second name, by that name; it is left to a format that writes a file of its own there."""
    if place.target.file is not None:
        return []
    found = list(outputs)
    taken = {written.suffix for _, files in found for written in files}
    seconds = {(name, w.suffix): w.also for name, files in found for w in files}
    more = []
    for artifact in made:
        for suffix in seconds[artifact.format, artifact.suffix]:
            if suffix not in taken and artifact.digest is not None:
                taken.add(suffix)
                path = place.path(suffix)
                stage.copy(artifact.path, path)
                more.append(replace(artifact, path=path, suffix=suffix))
    return more


def digest_of(path: Path, holes: Sequence[tuple[int, int]]) -> Digest:
    """The digest of a file: its sha256. Of a file with *holes* (offset and size, in their order), a sha256 over the
    bytes outside of them and the places of the holes, because a disk may be mostly empty.
    """
    hasher = hashlib.sha256()
    with path.open("rb") as stream:
        if not holes:
            return Digest("sha256", hashlib.file_digest(stream, "sha256").hexdigest())
        for start, size in holes:
            _feed(hasher, stream, start - stream.tell())
            hasher.update(f"hole {start} {size}\n".encode())
            stream.seek(start + size)
        _feed(hasher, stream, None)
    return Digest("sha256", hasher.hexdigest())


def _feed(hasher: hashlib._Hash, stream: BinaryIO, size: int | None) -> None:
    """Hash *size* bytes; None: all that is left."""
    while size is None or size > 0:
        chunk = stream.read(CHUNK if size is None else min(size, CHUNK))
        if not chunk:
            return
        hasher.update(chunk)
        size = None if size is None else size - len(chunk)


def pinned_outputs(inputs: Inputs, plan: Plan, chosen: Chosen) -> dict[str, Made]:
    """What the lock file says of the outputs of *chosen*, by format; nothing of one that was built otherwise."""
    system = read_lock(inputs).systems.get(str(plan.platform))
    known = system.made if system is not None else {}
    return {n: known[n] for n, _, o in chosen if n in known and known[n].options == _options(plan, o)}


def check_outputs(made: Iterable[Artifact], pinned: Mapping[str, Made]) -> None:
    """See that *made* are the outputs that the lock pins, as far as it pins them.

    Raises:
        FinbackError: F600, one is not.

    """
    for artifact in made:
        known = pinned.get(artifact.format)
        if known is None or artifact.digest is None:
            continue
        locked = known.files.get(artifact.suffix)
        if locked != artifact.digest:
            raise error(
                UNLIKE,
                f"{artifact.path.name} is {artifact.digest}, and the lock pins {locked}",
                help=f"the lock's was made by {known.by}, this one by {_by(known.options)}; if these are the same, "
                "the lock file was changed by hand; else build without --frozen and commit the lock file",
            )


def made_of(plan: Plan, made: Iterable[Artifact], chosen: Chosen) -> dict[str, Made]:
    """What the lock file is to remember of *made*."""
    files: dict[str, dict[str, Digest]] = {}
    for artifact in made:
        if artifact.digest is not None:
            files.setdefault(artifact.format, {})[artifact.suffix] = artifact.digest
    texts = {name: _options(plan, options) for name, _, options in chosen}
    return {name: Made(options=texts[name], by=_by(texts[name]), files=found) for name, found in files.items()}


def _options(plan: Plan, options: Options) -> str:
    size = "" if options.size is None else f", size {options.size}"
    return f"name {plan.name}, compression {options.compression}{size}"


def _by(options: str) -> str:
    method = options.partition(", compression ")[2].partition(",")[0]
    library = compress.version(Compression.parse(method).method)
    return f"finback {__version__}" + (f" with {library}" if library else "")


@dataclass(frozen=True, slots=True)
class _Poured:
    """What a body was."""

    size: int
    holes: tuple[tuple[int, int], ...]


def _pour(written: Written, out: BinaryIO, store: Store) -> _Poured:
    """Write a body, runs of stored slices by the fast verified way."""
    size = 0
    run: list[Slice] = []
    holes: list[tuple[int, int]] = []

    def flush() -> None:
        if run:
            file.append_verified(store, out, run)
            run.clear()

    def pieces() -> Iterator[Piece]:
        yield from written.body()

    for piece in pieces():
        if isinstance(piece, Slice):
            run.append(piece)
            size += piece.size
        else:
            flush()
            if isinstance(piece, Hole):
                file.skip(out, piece.size)
                holes.append((size, piece.size))
                size += piece.size
            else:
                out.write(piece)
                size += len(piece)
    flush()
    return _Poured(size, tuple(holes))
