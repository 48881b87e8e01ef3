"""Layers to one tree: later layers add, replace and delete.

A whiteout hides what lower layers have, never what its own layer brings, wherever in the layer it stands. A path that
leads through a symbolic link goes where the link leads within the tree, as it does for container runtimes.

Source: OCI image specification 1.1, layer.md: "Whiteouts", "Opaque Whiteout", "Hardlinks".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from finback.ground import canonical
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import image
from finback.tree.content import Slice
from finback.tree.entry import AnyEntry, Directory, File, HardLink, Symlink

# Reading layers is rare: what was read is remembered, and most builds read none.
if TYPE_CHECKING:
    from finback.codec.tar_sparse import Sparse

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
# Names of aufs's own, which old layers still have.
METADATA = ".wh..wh."
# As in the kernel, whose paths have at most 4095 bytes.
MAX_LINKS = 40
MAX_DEPTH = 2048
# Steps that links may add to all paths of an image. A few links can stand for very long ways.
MAX_DETOUR = 20_000_000
# What the sparse files of one layer may have in all: a hole takes no room in the layer, but is written here.
MAX_SPARSE = 8 << 30
LEAST_SPARSE = 256 << 20
RATIO_SPARSE = 20
HOLE = bytes(1 << 20)


def flatten(layers: Sequence[Iterable[AnyEntry]]) -> list[AnyEntry]:
    """The tree of *layers*, the bottom one first: sorted by path, every directory before what is in it.

    Missing parents are supplied (0755, root, time 0). Of the names of one file the first is the file, and the others
    are hard links to it, whatever became of the name that a layer linked to.

    Raises:
        ValueError: an entry lies below something that is no directory, a hard link has no target, a name is reserved.

    """
    tree = _Tree()
    for layer in layers:
        tree.apply(layer)
    return list(tree.entries())


def entries(store: Store, digest: Digest) -> list[AnyEntry]:
    """The tree of the stored image whose manifest has *digest*; contents are slices of its layers.

    Raises:
        FinbackError: F125, a layer can't be read as one; whatever `image.load`, `layer.unpacked` and the store raise.

    """
    from finback.codec import tar
    from finback.oci.layer import unpacked

    tree = _Tree()
    for layer in image.load(store, digest).layers:
        blob = unpacked(layer, store)
        try:
            with store.verified(blob).open("rb") as stream:
                expand = _Expand(blob, store)
                tree.apply(tar.decode(stream, blob, expand))
        except ValueError as failure:
            raise error(
                "F125", f"layer {layer.digest}: {failure}", help="the image is faulty: use another version of it"
            ) from None
    return list(tree.entries())


class _Expand:
    """Makes blobs of the sparse files of one layer, as many bytes as the layer may stand for."""

    def __init__(self, blob: Digest, store: Store) -> None:
        self._blob = blob
        self._store = store
        self._most = min(MAX_SPARSE, max(LEAST_SPARSE, RATIO_SPARSE * store.size(blob)))
        self._left = self._most

    def __call__(self, found: Sparse) -> Slice:
        self._left -= found.size
        if self._left < 0:
            raise ValueError(f"its sparse files have more than {self._most} bytes in all, the last one {found.size}")
        return _expanded(found, self._blob, self._store)


def _expanded(found: Sparse, blob: Digest, store: Store) -> Slice:
    """A sparse file as a blob of its own."""
    key = canonical.digest(["sparse", str(blob), found.size, [[s.start, s.offset, s.size] for s in found.stretches]])
    kept = store.recall(key, Digest.parse)
    if kept is not None and store.holds(kept, found.size):
        return Slice(kept, 0, found.size)
    with store.ingest() as ingest:
        for stretch in found.stretches:
            for piece in _hole(stretch.start - ingest.size):
                ingest.write(piece)
            for chunk in store.chunks(Slice(blob, stretch.offset, stretch.size)):
                ingest.write(chunk)
        for piece in _hole(found.size - ingest.size):
            ingest.write(piece)
    store.remember(key, str(ingest.digest))
    return Slice(ingest.digest, 0, found.size)


def _hole(size: int) -> Iterator[memoryview]:
    while size > 0:
        yield memoryview(HOLE)[:size]
        size -= len(HOLE)


class _Node:
    """A place in the tree. All names of one file have the same entry, the very object."""

    __slots__ = ("children", "entry")

    def __init__(self, entry: AnyEntry | None) -> None:
        self.entry = entry
        """None for a directory that no layer describes."""
        self.children: dict[str, _Node] | None = {} if entry is None or isinstance(entry, Directory) else None


class _Tree:
    def __init__(self) -> None:
        self._root = _Node(None)
        self._detour = 0

    def apply(self, layer: Iterable[AnyEntry]) -> None:
        """Lay *layer* over the tree."""
        whiteouts: list[str] = []
        fresh: list[AnyEntry] = []
        for entry in layer:
            at = entry.path.rfind("/") + 1
            if entry.path.startswith(WHITEOUT, at):
                whiteouts.append(entry.path)
            elif WHITEOUT in entry.path and f"/{WHITEOUT}" in f"/{entry.path}":
                raise ValueError(f"{entry.path}: names that begin with {WHITEOUT} are reserved")
            else:
                fresh.append(entry)
        # A link may lead to a file that a whiteout of this layer hides.
        below = {e.target: self._found(e.target) for e in fresh if isinstance(e, HardLink)} if whiteouts else {}
        for path in whiteouts:
            self._hide(path)
        for entry in fresh:
            self._put(entry, below)

    def entries(self) -> Iterator[AnyEntry]:
        """All entries but the root's, sorted by path."""
        first: dict[int, str] = {}
        assert self._root.children is not None
        left = [iter(sorted(self._root.children.items()))]
        steps: list[str] = []
        while left:
            name, node = next(left[-1], ("", None))
            if node is None:
                left.pop()
                if steps:
                    steps.pop()
                continue
            path = "/".join((*steps, name))
            yield _named(node.entry, path, first)
            if node.children is not None:
                steps.append(name)
                left.append(iter(sorted(node.children.items())))

    def _put(self, entry: AnyEntry, below: dict[str, AnyEntry | None]) -> None:
        head, _, name = entry.path.rpartition("/")
        if not name:
            if not isinstance(entry, Directory):
                raise ValueError("the root is no directory")
            return
        parent = self._walk(head, make=True)
        assert parent is not None
        assert parent.children is not None
        if isinstance(entry, HardLink):
            target = self._found(entry.target) or below.get(entry.target)
            if target is None or isinstance(target, Directory):
                raise ValueError(f"hard link {entry.path}: there is no file {entry.target}")
            entry = target
        old = parent.children.get(name)
        if old is not None and old.children is not None and isinstance(entry, Directory):
            old.entry = entry
        else:
            parent.children[name] = _Node(entry)

    def _hide(self, path: str) -> None:
        head, _, name = path.rpartition("/")
        if name.startswith(METADATA) and name != OPAQUE:
            return
        hidden = name[len(WHITEOUT) :]
        if hidden in ("", ".", ".."):
            raise ValueError(f"whiteout {path} of nothing")
        parent = self._walk(head, make=False)
        if parent is None or parent.children is None:
            return
        if name == OPAQUE:
            parent.children.clear()
        else:
            parent.children.pop(hidden, None)

    def _found(self, path: str) -> AnyEntry | None:
        """What is at *path*; None when nothing is, or only a directory that no layer describes."""
        head, _, name = path.rpartition("/")
        parent = self._walk(head, make=False)
        node = parent.children.get(name) if parent is not None and parent.children is not None else None
        return node.entry if node is not None else None

    def _walk(self, path: str, *, make: bool) -> _Node | None:
        """The directory at *path*, links followed; when it is not there it is made, or None."""
        here = [self._root]
        left = path.split("/")[::-1] if path else []
        links = 0
        while left:
            step = left.pop()
            if step in ("", "."):
                continue
            if step == "..":
                # The root is its own parent.
                del here[max(1, len(here) - 1) :]
                continue
            children = here[-1].children
            assert children is not None
            node = children.get(step)
            if node is None:
                if not make:
                    return None
                node = children[step] = _Node(None)
            if isinstance(node.entry, Symlink):
                way = node.entry.target.split("/")[::-1]
                links += 1
                self._detour += len(way)
                if links > MAX_LINKS or self._detour > MAX_DETOUR:
                    raise ValueError(f"{path} leads through too many symbolic links")
                del here[1 if not way[-1] else len(here) :]
                left += way
            elif node.children is None:
                if not make:
                    return None
                raise ValueError(f"an entry lies below {path}, where {step} is no directory")
            else:
                here.append(node)
            if len(here) > MAX_DEPTH:
                raise ValueError(f"{path[:80]}... lies too deep")
        return here[-1]


def _named(entry: AnyEntry | None, path: str, first: dict[int, str]) -> AnyEntry:
    """*entry* under the name *path*; *first* knows the first name of each file."""
    if entry is None:
        return Directory(path=path)
    if isinstance(entry, File):
        target = first.setdefault(id(entry), path)
        if target != path:
            return HardLink(
                path=path, target=target, mode=entry.mode, uid=entry.uid, gid=entry.gid, mtime=entry.mtime,
                xattrs=entry.xattrs,
            )  # fmt: skip
    return entry if entry.path == path else replace(entry, path=path)
