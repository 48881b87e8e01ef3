"""What a system contains and where each thing comes from: `tree` and `why`."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from finback.app.planning import Inputs, make_plan
from finback.app.workspace import Workspace
from finback.assemble import build as assembling
from finback.assemble.contents import StoreContents
from finback.assemble.system import ImagePart, OwnPart, System
from finback.ground.diagnostic import error
from finback.ground.source import Span
from finback.tree.entry import AnyEntry, File

STATUS = "var/lib/dpkg/status.d/"
MERGED = ("bin/", "sbin/", "lib/", "lib64/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An entry of the final tree, and what put it there."""

    entry: AnyEntry
    source: str
    """The image, or `linuxkit.files`."""
    location: str
    """The section: `init[0]`, `services[1]`."""
    span: Span | None
    part: ImagePart | OwnPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a path is in the image, from the spec down."""

    placed: Placed
    package: str = ""
    """Debian package and version, for files of library images."""
    overrides: tuple[Placed, ...] = ()
    """What else would have put something at the path, earlier in the order."""


def placed(inputs: Inputs, workspace: Workspace) -> tuple[System, StoreContents, dict[str, list[Placed]]]:
    """Everything that any part puts anywhere, by path; the last of a list is what the image contains."""
    plan, _ = make_plan(inputs, workspace)
    system = assembling.build(plan, workspace.store)
    contents = StoreContents(workspace.store, plan, workspace.emit)
    paths: dict[str, list[Placed]] = {}
    for part in system.parts:
        for entry in contents.entries(part):
            paths.setdefault(entry.path, []).append(
                Placed(entry=entry, source=part.source, location=part.location, span=part.origin.span, part=part)
            )
    return system, contents, paths


def why(path: str, inputs: Inputs, workspace: Workspace) -> tuple[Reason, ...]:
    """What put *path* into the image: the path in the machine's root, or else in any of its containers.

    Raises:
        FinbackError: F123, nothing is there.

    """
    system, contents, paths = placed(inputs, workspace)
    wanted = posixpath.normpath("/" + path.strip("/")).strip("/")
    # A merged /usr: what a program is called by and where it is.
    forms = (wanted, f"usr/{wanted}") if wanted.startswith(MERGED) else (wanted,)
    roots = [p.prefix for p in system.parts if isinstance(p, ImagePart) and p.flavour == "container"]
    places = next((f for f in forms if f in paths), None)
    found = [places] if places else [p for r in roots for f in forms if (p := f"{r}/{f}") in paths]
    if not found:
        near = [p for p in paths if p.endswith("/" + wanted.rsplit("/", 1)[-1])][:5]
        hint = "did you mean " + ", ".join("/" + p for p in near) if near else "`finback tree` lists what is there"
        raise error("F123", f"nothing in the image is at /{wanted}", help=hint)
    return tuple(
        Reason(placed=paths[f][-1], package=_package(paths[f][-1], contents, paths), overrides=tuple(paths[f][:-1]))
        for f in found
    )


def _package(place: Placed, contents: StoreContents, paths: dict[str, list[Placed]]) -> str:
    """The Debian package whose list in the same image names the file."""
    part = place.part
    if not isinstance(part, ImagePart):
        return ""
    prefix = part.prefix + "/" if part.prefix else ""
    inside = place.entry.path.removeprefix(prefix)
    for path, places in paths.items():
        if not path.startswith(prefix + STATUS) or not path.endswith(".md5sums"):
            continue
        for candidate in places:
            if candidate.part is part and isinstance(candidate.entry, File):
                text = b"".join(contents.read(candidate.entry.content)).decode("utf-8", "replace")
                if any(line[34:] == inside for line in text.splitlines()):
                    return _named(path.removesuffix(".md5sums"), part, contents, paths)
    return ""


def _named(stanza: str, part: ImagePart, contents: StoreContents, paths: dict[str, list[Placed]]) -> str:
    for candidate in paths.get(stanza, ()):
        if candidate.part is part and isinstance(candidate.entry, File):
            text = b"".join(contents.read(candidate.entry.content)).decode("utf-8", "replace")
            fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and line[0] != " ")
            return f"{fields.get('Package', '')} {fields.get('Version', '')}"
    return ""


def final(paths: dict[str, list[Placed]]) -> Iterator[Placed]:
    """The tree as it will be, sorted by path."""
    for path in sorted(paths):
        yield paths[path][-1]
