"""What the images at `/` make of the root: its directories, and its links to directories.

What this build adds must know both. A directory that is already there keeps its mode, and a path is written as the
kernel will see it: a file below `lib` goes below `usr/lib` where `lib` is a link to that.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from finback.ground import canonical
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import flatten
from finback.tree.entry import AnyEntry, Directory, Symlink

# Raised whenever the same image would give another shape.
VERSION = 1
_HOPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The directories of a tree, and its links that lead to one, by path."""

    directories: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)

    def under(self, later: Shape) -> Shape:
        """The shape of this tree with *later* laid over it."""
        return Shape(directories=self.directories | later.directories, links={**self.links, **later.links})

    def place(self, path: str) -> str:
        """*path* with the links that lead to it followed; the last step is taken as it is."""
        for _ in range(_HOPS):
            steps = path.split("/")
            heads = ("/".join(steps[:depth]) for depth in range(1, len(steps)))
            link = next((h for h in heads if h in self.links), None)
            if link is None:
                break
            target = posixpath.join("/", posixpath.dirname(link), self.links[link])
            path = posixpath.normpath(f"{target}/{path[len(link) + 1 :]}").lstrip("/")
        return path


def of_tree(entries: Iterable[AnyEntry]) -> Shape:
    """The shape of *entries*."""
    tree = {e.path: e for e in entries}
    directories = frozenset(p for p, e in tree.items() if isinstance(e, Directory))
    every = Shape(directories=directories, links={p: e.target for p, e in tree.items() if isinstance(e, Symlink)})
    # A step behind the link shows where the link itself leads.
    leads = {p: every.place(f"{p}/.") for p in every.links}
    links = {p: t for p, t in every.links.items() if not leads[p] or leads[p] in directories}
    return Shape(directories=directories, links=links)


def of_image(image: Digest, store: Store) -> Shape:
    """The shape of the stored *image*, remembered, because reading an image takes as long as a small build may."""
    key = canonical.digest(["shape", VERSION, str(image)])
    kept = store.recall(key, lambda v: Shape(directories=frozenset(v["directories"]), links=dict(v["links"])))
    if kept is not None:
        return kept
    found = of_tree(flatten.entries(store, image))
    store.remember(key, {"directories": sorted(found.directories), "links": dict(found.links)})
    return found
