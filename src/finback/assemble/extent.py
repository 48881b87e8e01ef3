"""Whether a format can hold every file of a system: sizes, ids, times and names, which each has its own bounds for.

The extremes of an image are remembered by its digest, so that the next build reads none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finback.assemble.system import Contents, ImagePart, Part, System
from finback.ground import canonical
from finback.ground.diagnostic import Diagnostic
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import flatten
from finback.tree.entry import AnyEntry, File, Symlink

# Raised whenever the same image would give other extremes.
VERSION = 1
U32 = (1 << 32) - 1
# Linux's NAME_MAX, and PATH_MAX less the final NUL.
NAME, PATH = 255, 4095


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """What a way to bring the root can hold. None: more than Linux knows."""

    what: str
    size: int | None = None
    """Bytes of a file."""
    number: int = U32 - 1
    """User and group ids; the highest is no id on Linux."""
    first: int | None = 0
    """Times, in seconds since 1970."""
    last: int | None = None
    owners: int | None = None
    """How many different ids there may be."""


HOLDS: Mapping[str, Holds] = {
    # init/initramfs.c: numbers of eight hexadecimal digits.
    "initrd": Holds(what="an initrd", size=U32, last=U32),
    # fs/squashfs: times of 32 bits, a table of at most 65535 ids.
    "squashfs": Holds(what="SquashFS", last=U32, owners=65535),
    "erofs": Holds(what="EROFS", last=(1 << 63) - 1),
    # ECMA-119, 9.1.5: a year is counted from 1900 in a byte.
    "iso9660": Holds(what="an ISO 9660 disc", first=-2208988800, last=5869583999),
    # Whatever a header of tar has no room for goes into a PAX record.
    "": Holds(what="a tar", first=None),
}
"""By `Format.root`."""

Extremes = dict[str, tuple[int, str]]
"""The largest, and by `first` the smallest, of each number, and the path that has it."""


def findings(system: System, roots: Mapping[str, str], store: Store, contents: Contents) -> Iterator[Diagnostic]:
    """What of *system* the formats to be made can't hold. *roots*: how each format brings the root, by its name."""
    for part in system.parts:
        found = _of_part(part, store, contents)
        for name, root in roots.items():
            for message, fits in _misfits(found, HOLDS[root], part):
                able = [n for n, h in HOLDS.items() if fits(h)]
                yield Diagnostic(
                    code="F164",
                    message=f"{name} can't hold {message}",
                    span=part.origin.span,
                    help=_advice(able),
                )


def _advice(able: list[str]) -> str:
    formats = {"initrd": "kernel+initrd", "squashfs": "kernel+squashfs", "erofs": "kernel+erofs",
               "iso9660": "kernel+iso", "": "tar, docker"}  # fmt: skip
    if not able:
        return "leave it out, or change it: no format can hold it"
    return f"leave it out, or use a format that can hold it: {', '.join(formats[a] for a in able)}"


def _misfits(found: Extremes, holds: Holds, part: Part) -> Iterator[tuple[str, Callable[[Holds], bool]]]:
    """What does not fit, in words, and whether it would fit elsewhere."""
    inside = f" of {part.source}" if isinstance(part, ImagePart) else ""

    def at(key: str) -> tuple[int, str]:
        value, path = found.get(key, (0, ""))
        return value, f"/{path}{inside}"

    size, path = at("size")
    if holds.size is not None and size > holds.size:
        yield (
            f"{path}: it has {size} bytes, and a file of {holds.what} at most {holds.size}",
            lambda h: h.size is None or size <= h.size,
        )
    number, path = at("number")
    if number > holds.number:
        yield f"{path}: it belongs to {number}, and the highest id is {holds.number}", lambda h: number <= h.number
    first, path = at("first")
    if holds.first is not None and first < holds.first:
        yield (
            f"{path}: its time {first} is earlier than the first of {holds.what}",
            lambda h: h.first is None or first >= h.first,
        )
    last, path = at("last")
    if holds.last is not None and last > holds.last:
        yield (
            f"{path}: its time {last} lies behind the last of {holds.what}",
            lambda h: h.last is None or last <= h.last,
        )
    owners, _ = at("owners")
    if holds.owners is not None and owners > holds.owners:
        yield (
            f"{owners} different owners{inside}: {holds.what} has room for {holds.owners}",
            lambda h: h.owners is None or owners <= h.owners,
        )
    for key, limit, noun in (("name", NAME, "its name"), ("path", PATH, "its path"), ("target", PATH, "its target")):
        length, path = at(key)
        # Images are put below a folder of their own.
        length += len(part.prefix) + 1 if key == "path" and isinstance(part, ImagePart) and part.prefix else 0
        if length > limit:
            yield f"{path[:80]}...: {noun} has {length} bytes, and Linux takes {limit}", lambda _: False


def _of_part(part: Part, store: Store, contents: Contents) -> Extremes:
    if not isinstance(part, ImagePart):
        return _extremes(part.entries)
    if part.flavour == "layout":
        return _extremes(contents.entries(part))
    return _of_image(part.image, store)


def _of_image(image: Digest, store: Store) -> Extremes:
    key = canonical.digest(["extremes", VERSION, str(image)])
    kept = store.recall(key, _remembered)
    if kept is not None:
        return kept
    found = _extremes(flatten.entries(store, image))
    store.remember(key, {name: [value, path] for name, (value, path) in found.items()})
    return found


def _remembered(value: Any) -> Extremes:
    """What the record of an image says. Raises one of the exceptions that `Store.recall` names when it is none."""
    return {str(name): (int(number), str(path)) for name, (number, path) in value.items()}


def _extremes(entries: Iterable[AnyEntry]) -> Extremes:
    found: Extremes = {}
    owners: set[int] = set()
    for entry in entries:
        data = entry.path.encode("utf-8", "surrogateescape")
        numbers = {
            "size": entry.content.size if isinstance(entry, File) else 0,
            "number": max(entry.uid, entry.gid),
            "last": entry.mtime,
            "name": len(data.rpartition(b"/")[2]),
            "path": len(data),
            "target": len(entry.target.encode("utf-8", "surrogateescape")) if isinstance(entry, Symlink) else 0,
        }
        for key, value in numbers.items():
            if key not in found or value > found[key][0]:
                found[key] = (value, entry.path)
        if "first" not in found or entry.mtime < found["first"][0]:
            found["first"] = (entry.mtime, entry.path)
        owners.update((entry.uid, entry.gid))
    found["owners"] = (len(owners), "")
    return found
