"""Layers to one tree: later layers add, replace and delete.

Source: OCI image specification 1.1, layer.md: whiteouts and opaque whiteouts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from finback.codec import tar
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import image
from finback.tree.entry import AnyEntry, Directory, File, HardLink

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


def flatten(layers: Sequence[Iterable[AnyEntry]]) -> list[AnyEntry]:
    """The tree of *layers*, the bottom one first: sorted by path, every directory before what is in it.

    Missing parents are supplied (0755, root, time 0). A hard link whose target a later layer replaced or removed
    becomes a file with the content that it was made with.

    Raises:
        ValueError: an entry lies below something that is no directory, or a hard link has no target.

    """
    tree: dict[str, AnyEntry] = {}
    for layer in layers:
        _apply(tree, layer)
    out: list[AnyEntry] = []
    for path in sorted(tree, key=lambda p: p.split("/")):
        entry = tree[path]
        if path:
            out.append(entry)
    return out


def entries(store: Store, digest: Digest) -> list[AnyEntry]:
    """The tree of the stored image whose manifest has *digest*; contents are slices of its layers.

    Raises:
        FinbackError: F125, a layer can't be read as one; whatever the store raises.

    """
    layers = []
    for layer in image.load(store, digest).layers:
        try:
            with store.verified(layer).open("rb") as stream:
                layers.append(list(tar.decode(stream, layer)))
        except ValueError as failure:
            raise error(
                "F125", f"layer {layer}: {failure}", help="the image is faulty: use another version of it"
            ) from None
    try:
        return flatten(layers)
    except ValueError as failure:
        raise error(
            "F125", f"image {digest}: {failure}", help="the image is faulty: use another version of it"
        ) from None


def _apply(tree: dict[str, AnyEntry], layer: Iterable[AnyEntry]) -> None:
    fresh: set[str] = set()
    below = dict(tree)
    for entry in layer:
        parent, _, leaf = entry.path.rpartition("/")
        if leaf == OPAQUE:
            _remove(tree, parent, keep=fresh, itself=False)
            continue
        if leaf.startswith(WHITEOUT):
            gone = f"{parent}/{leaf[len(WHITEOUT) :]}".lstrip("/")
            _remove(tree, gone, keep=fresh, itself=True)
            continue
        _put(tree, _linked(entry, tree, below), fresh)


def _linked(entry: AnyEntry, tree: dict[str, AnyEntry], below: dict[str, AnyEntry]) -> AnyEntry:
    """A hard link as a file of its own: what the link means once whiteouts have done their work."""
    if not isinstance(entry, HardLink):
        return entry
    target = tree.get(entry.target) or below.get(entry.target)
    if not isinstance(target, File):
        raise ValueError(f"hard link {entry.path}: there is no file {entry.target}")
    return replace(target, path=entry.path)


def _put(tree: dict[str, AnyEntry], entry: AnyEntry, fresh: set[str]) -> None:
    _parents(tree, entry.path, fresh)
    old = tree.get(entry.path)
    if isinstance(old, Directory) and not isinstance(entry, Directory):
        _remove(tree, entry.path, keep=set(), itself=False)
    tree[entry.path] = entry
    fresh.add(entry.path)


def _parents(tree: dict[str, AnyEntry], path: str, fresh: set[str]) -> None:
    steps = path.split("/")[:-1]
    for depth in range(1, len(steps) + 1):
        parent = "/".join(steps[:depth])
        found = tree.get(parent)
        if found is None:
            tree[parent] = Directory(path=parent)
            fresh.add(parent)
        elif not isinstance(found, Directory):
            raise ValueError(f"{path} lies below {parent}, which is no directory")


def _remove(tree: dict[str, AnyEntry], path: str, *, keep: set[str], itself: bool) -> None:
    prefix = path + "/" if path else ""
    for candidate in [p for p in tree if p.startswith(prefix) and p not in keep]:
        if candidate != path:
            del tree[candidate]
    if itself and path not in keep:
        tree.pop(path, None)
