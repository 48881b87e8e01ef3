"""What formats ask for while they write, answered from the store.

An image is converted into a segment once: flattened, laid out, archived, compressed, kept under a key of all that the
bytes depend on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finback.assemble import image_layout, root_image
from finback.assemble.kernel import modules
from finback.assemble.system import Compression, ImagePart, Make, Part
from finback.codec import cpio
from finback.codec.compress import compress, version
from finback.ground import canonical
from finback.ground.diagnostic import Diagnostic, Severity, error
from finback.ground.digest import Digest
from finback.ground.event import Emit, Warned, task
from finback.host.store import Store
from finback.oci import flatten
from finback.resolve.plan import Plan, loader_reference
from finback.tree.content import Content, Slice
from finback.tree.entry import AnyEntry

# Raised whenever the same image would give other bytes.
CONVERTER = 3
# How many files a warning names.
NAMED = 5


@dataclass(frozen=True, slots=True)
class _Made:
    """What a record says was made."""

    slice: Slice
    lost: tuple[str, ...] = ()
    """Paths of files that lost extended attributes."""

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> _Made:
        """Read a record's value."""
        return cls(Slice(Digest.parse(value["blob"]), 0, int(value["size"])), tuple(map(str, value.get("lost", ()))))


class StoreContents:
    """Implements `finback.assemble.system.Contents` over a store, for the system of one plan."""

    def __init__(self, store: Store, plan: Plan, emit: Emit) -> None:
        self._store = store
        self._plan = plan
        self._emit = emit
        self._flat: dict[Digest, list[AnyEntry]] = {}
        self._warned: set[Digest] = set()

    def entries(self, part: Part) -> Iterator[AnyEntry]:
        """The part's entries with their final paths, every directory before what is in it."""
        if not isinstance(part, ImagePart):
            return iter(part.entries)
        if part.flavour == "layout":
            layout = image_layout.entries(self._store, part.image, part.source, self._plan.epoch)
            return iter(root_image.below(part.prefix, layout, self._plan.epoch))
        flat = self.flat(part.image)
        epoch = self._plan.epoch
        if part.flavour == "kernel":
            assert self._plan.kernel is not None
            return iter(modules(self._plan.kernel, flat, self._store, part.prefix))
        shape = root_image.init if part.flavour == "init" else root_image.container
        return iter(root_image.below(part.prefix, shape(flat, epoch), epoch))

    def flat(self, image: Digest) -> list[AnyEntry]:
        """The tree of the image as it is."""
        if image not in self._flat:
            self._flat = {image: flatten.entries(self._store, image)}
        return self._flat[image]

    def segment(self, part: ImagePart, compression: Compression) -> Slice:
        """The part as a compressed cpio archive: from the store, or made now and kept there.

        Warns of what the archive can't carry.
        """
        key = self._key(part, compression)
        record = self._kept(key)
        if record is None:
            with self._store.lock(f"segment-{key.short}"):
                # Another process may have made it meanwhile.
                record = self._kept(key) or self._convert(part, compression, key)
        if record.lost and key not in self._warned:
            self._warned.add(key)
            self._emit(Warned(diagnostic=_lost(part, record.lost)))
        return record.slice

    def remembered(self, key: Digest, title: str, make: Make) -> Slice:
        """What *make* gives, which *key* describes: from the store, or made now and kept there."""
        record = self._kept(key)
        if record is None:
            with self._store.lock(f"made-{key.short}"):
                # Another process may have made it meanwhile.
                record = self._kept(key) or self._make(key, title, make)
        return record.slice

    def read(self, content: Content) -> Iterator[bytes]:
        """The bytes of a content, in chunks of at most 1 MiB, verified."""
        return self._store.chunks(content)

    def keep(self, chunks: Iterable[bytes]) -> Slice:
        """Put bytes that a format has made into the store."""
        with self._store.ingest() as ingest:
            for chunk in chunks:
                ingest.write(chunk)
        return Slice(ingest.digest, 0, ingest.size)

    def loader(self, component: str) -> dict[str, AnyEntry]:
        """The tree, by path, of a component that the plan has for its formats.

        Raises:
            FinbackError: F157, the plan does not have it.

        """
        reference = loader_reference(component)
        for pin in self._plan.loaders:
            if pin.reference == reference and pin.digest is not None:
                return {e.path: e for e in flatten.entries(self._store, pin.digest)}
        raise error("F157", f"the plan has no {component}", help="plan for the formats that are to be made")

    def _kept(self, key: Digest) -> _Made | None:
        made = self._store.recall(key, _Made.of)
        return made if made is not None and self._store.holds(made.slice.blob, made.slice.size) else None

    def _remember(self, key: Digest, record: dict[str, Any]) -> _Made:
        self._store.remember(key, record)
        return _Made.of(record)

    def _make(self, key: Digest, title: str, make: Make) -> _Made:
        with task(self._emit, f"made {key.short}", title), self._store.ingest() as ingest:
            for chunk in make():
                ingest.write(chunk)
        return self._remember(key, {"blob": str(ingest.digest), "size": ingest.size})

    def _convert(self, part: ImagePart, compression: Compression, key: Digest) -> _Made:
        name = part.source.removeprefix("docker.io/")
        with task(self._emit, f"segment {key.short}", f"converting {name}"):
            entries = list(self.entries(part))
            archive = cpio.encode(entries, self._store.chunks)
            with self._store.ingest() as ingest:
                for chunk in compress(archive, compression.method, compression.level):
                    ingest.write(chunk)
                # The kernel looks for the next archive at a multiple of four.
                ingest.write(b"\0" * (-ingest.size % 4))
        lost = [e.path for e in entries if e.xattrs]
        return self._remember(key, {"blob": str(ingest.digest), "size": ingest.size, "lost": lost[:NAMED]})

    def _key(self, part: ImagePart, compression: Compression) -> Digest:
        library = version(compression.method)
        made_of = [str(part.image), part.prefix, part.flavour, str(compression), library, self._plan.epoch]
        if part.flavour == "kernel":
            kernel = self._plan.kernel
            assert kernel is not None
            made_of += [kernel.tar, kernel.tar_required]
        if part.flavour == "layout":
            made_of.append(part.source)
        return canonical.digest(["segment", CONVERTER, *made_of])


def _lost(part: ImagePart, paths: Iterable[str]) -> Diagnostic:
    return Diagnostic(
        code="F155",
        message=f"{part.source}: an initrd has no extended attributes; these files lose theirs: {', '.join(paths)}",
        span=part.origin.span,
        help="file capabilities are lost with them: give the container the capabilities it needs",
        severity=Severity.WARNING,
    )
