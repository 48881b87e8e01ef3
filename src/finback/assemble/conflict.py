"""What contradicts itself in a whole tree, before any format writes it: every format would make something else of it.

All sources of entries are looked at: images at `/`, what finback makes, and `files`, with the lines that they are from.
What was learnt of images is remembered by their digests, so that the next build reads none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

from finback.assemble import root_image
from finback.assemble.shape import of_image
from finback.assemble.system import ImagePart, OwnPart, System
from finback.ground import canonical
from finback.ground.diagnostic import Diagnostic
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import flatten
from finback.resolve.plan import ImagePin
from finback.tree.entry import AnyEntry, Directory, Symlink
from finback.tree.overlay import Kind, Overlay, Placed

CODE = "F057"
# Raised whenever the same question could have another answer.
VERSION = 1
# How many conflicts between two images are shown.
SHOWN = 5


def findings(system: System, store: Store) -> Iterator[Diagnostic]:
    """What contradicts itself in *system*."""
    overlay = Overlay(CODE)
    own = [p for p in system.parts if isinstance(p, OwnPart)]
    yield from _between_images(system.plan.init, store)
    for placed in _of_images(system.plan.init, _interesting(own), store):
        overlay.put(placed)
    for part in system.parts:
        if isinstance(part, ImagePart) and part.prefix and part.flavour != "kernel":
            overlay.put(
                Placed(path=part.prefix, kind="folder", owner=f"the image {part.source}", span=part.origin.span)
            )
    for part in own:
        spec_file = part.location.startswith("files[")
        owner = "an item of `files`" if spec_file else "finback" if part.location == "files" else part.location
        # What leads to an item is made of folders where there are none.
        for entry in part.entries[-1:] if spec_file else part.entries:
            placed = Placed(
                path=entry.path,
                kind=kind(entry),
                owner=owner,
                span=part.origin.span,
                target=entry.target if isinstance(entry, Symlink) else "",
                fixed=not spec_file and not part.replaceable,
            )
            clash = overlay.put(placed)
            if clash is not None:
                yield clash


def kind(entry: AnyEntry) -> Kind:
    """What *entry* is to what lies below it."""
    return "folder" if isinstance(entry, Directory) else "link" if isinstance(entry, Symlink) else "file"


def _interesting(parts: Iterable[OwnPart]) -> list[str]:
    """The paths of all entries, and what leads there."""
    found: set[str] = set()
    for part in parts:
        for entry in part.entries:
            steps = entry.path.split("/")
            found.update("/".join(steps[:depth]) for depth in range(1, len(steps) + 1))
    return sorted(found)


def _of_images(pins: Sequence[ImagePin], paths: Sequence[str], store: Store) -> Iterator[Placed]:
    """What images at `/` have at *paths*."""
    for pin in pins:
        if pin.digest is None:
            continue
        key = canonical.digest(["kinds", VERSION, str(pin.digest), list(paths)])
        kept = store.recall(key, _kinds)
        if kept is None:
            wanted = set(paths)
            tree = root_image.init(flatten.entries(store, pin.digest), 0)
            kept = {e.path: (kind(e), e.target if isinstance(e, Symlink) else "") for e in tree if e.path in wanted}
            store.remember(key, kept)
        # What is below such a link would be gone with it.
        leading = of_image(pin.digest, store).links
        for path in sorted(kept, key=lambda p: p.split("/")):
            what, target = kept[path]
            yield Placed(
                path=path,
                kind=what,
                owner=f"the image {pin.reference}",
                target=target,
                span=pin.origin.span,
                fixed=path in leading,
            )


def _kinds(value: Any) -> dict[str, tuple[Kind, str]]:
    """What the record of an image says. Raises one of the exceptions that `Store.recall` names when it is none."""
    known = {name: name for name in get_args(Kind)}
    return {str(path): (known[what], str(target)) for path, (what, target) in value.items()}


def _between_images(pins: Sequence[ImagePin], store: Store) -> Iterator[Diagnostic]:
    """Images at `/` of which a later one has a file where an earlier one has a folder with something in it."""
    known = [(pin, pin.digest) for pin in pins if pin.digest is not None]
    if len(known) < 2:
        return
    key = canonical.digest(["between", VERSION, *(str(digest) for _, digest in known)])
    kept = store.recall(key, lambda value: [(str(path), int(a), int(b)) for path, a, b in value])
    if kept is None:
        kept = _overlaps([digest for _, digest in known], store)
        store.remember(key, kept)
    for path, first, second in kept:
        yield Diagnostic(
            code=CODE,
            message=f"/{path} is a folder of {known[first][0].reference}, and a file of {known[second][0].reference}",
            span=known[second][0].origin.span,
            help="use versions of these images that fit together",
        )


def _overlaps(images: Sequence[Digest], store: Store) -> list[tuple[str, int, int]]:
    folders: dict[str, int] = {}
    found: list[tuple[str, int, int]] = []
    for number, image in enumerate(images):
        tree = root_image.init(flatten.entries(store, image), 0)
        # A link in the place of a folder that is not empty is passed over by the kernel and by every format alike.
        found += [(e.path, folders[e.path], number) for e in tree if kind(e) == "file" and e.path in folders]
        folders.update({e.path.rpartition("/")[0]: number for e in tree if e.path})
    return found[:SHOWN]
