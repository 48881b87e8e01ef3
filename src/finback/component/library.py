"""The library: folders of components, found by their path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from finback.component.definition import Definition, Keep
from finback.component.glob import parted, pattern
from finback.component.unanswered import remark
from finback.debian.relation import restricted
from finback.ground import canonical
from finback.ground.diagnostic import Diagnostic, FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import ARCHITECTURES, Platform
from finback.ground.source import Source
from finback.host import file
from finback.resolve.plan import PackagePin
from finback.spec.decode import load
from finback.spec.model import Settings

LIMIT = 1 << 20
ROOTFS_LIMIT = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A file of a component's `rootfs/` folder."""

    path: str
    mode: int
    data: bytes
    target: str | None = None
    """For symbolic links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A library entry."""

    name: str
    folder: Path
    definition: Definition
    overlay: tuple[Overlay, ...]
    digest: Digest
    """Of the definition and everything in `rootfs/`: what decides the image besides the packages."""
    proof_digest: Digest
    """Of the same and of the test: what decides whether it passes."""

    @property
    def architectures(self) -> tuple[str, ...]:
        """The architectures that it can be built for, in OCI's words."""
        return tuple(a for a in ARCHITECTURES if a not in (self.definition.exceptions or {}))

    def requirements(self, platform: Platform) -> tuple[str, ...]:
        """The packages to ask the archive for.

        Raises:
            FinbackError: F140, the component can't be built for *platform*.

        """
        reason = (self.definition.exceptions or {}).get(platform.architecture)
        if reason is not None:
            raise error(
                "F140",
                f"component {self.name} can't be built for {platform.architecture}: {reason}",
                self.definition.origin.at("exceptions"),
                help=f"it can be for: {', '.join(self.architectures) or 'none'}",
            )
        return restricted(self.definition.packages or (), platform.names.debian)

    def version(self, platform: Platform, pins: Iterable[PackagePin]) -> str:
        """What a person would call the component's version: that of the package named first, "" without packages."""
        first = next(iter(self.requirements(platform)), "")
        return next((p.version for p in pins if p.name == first), "")


class Library:
    """Components in *folders*; the first folder that has a name wins."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self._folders = folders
        self._loaded: dict[str, Component] = {}
        self._replaced: frozenset[str] = frozenset()

    def names(self) -> tuple[str, ...]:
        """The names of all components, sorted."""
        return tuple(sorted(self._paths))

    def get(self, name: str) -> Component:
        """The component *name*.

        Raises:
            FinbackError: F141, there is none; F0xx, its definition is wrong.

        """
        if name not in self._loaded:
            folder = self._paths.get(name)
            if folder is None:
                near = difflib.get_close_matches(name, self._paths, 1)
                hint = f"did you mean finback/{near[0]}? " if near else ""
                raise error("F141", f"there is no component {name!r}", help=hint + "`finback component list` shows all")
            self._loaded[name] = _load(name, folder)
        return self._loaded[name]

    def having(self, component: Component) -> Library:
        """The same library, but with *component* in the place of the one of its name."""
        other = Library(self._folders)
        other._loaded = {**self._loaded, component.name: component}
        other._replaced = self._replaced | {component.name}
        return other

    def is_added(self, name: str) -> bool:
        """Whether component *name* is in any folder but the last, one of the user's own, or stands in for another."""
        return name in self._replaced or (name in self._paths and self._paths[name].parent != self._folders[-1])

    def answering(self, name: str) -> str | None:
        """The component that can stand in for an image name without tag (``docker.io/linuxkit/init``), or None."""
        familiar = name.removeprefix("docker.io/").removeprefix("library/")
        if familiar.startswith("finback/"):
            return None
        return self._answers.get(familiar)

    def unanswered(self, name: str) -> str:
        """Why no component can stand in for an image of LinuxKit's, and what to do instead; "" of other names."""
        familiar = name.removeprefix("docker.io/")
        return remark(familiar, self._answers) if familiar not in self._answers else ""

    @cached_property
    def _paths(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in reversed(self._folders):
            if folder.is_dir():
                found |= {p.parent.name: p.parent for p in folder.glob("*/component.yml")}
        return found

    @cached_property
    def _answers(self) -> dict[str, str]:
        answers: dict[str, str] = {}
        for name in self.names():
            for familiar in self.get(name).definition.answers or ():
                if familiar in answers:
                    raise error(
                        "F142",
                        f"components {answers[familiar]} and {name} both answer {familiar}",
                        self.get(name).definition.origin.at("answers"),
                        help="let one of them go",
                    )
                answers[familiar] = name
        return answers


def _load(name: str, folder: Path) -> Component:
    path = folder / "component.yml"
    text = file.read(path, limit=LIMIT).decode("utf-8", "surrogateescape")
    definition = load(Definition, Source(str(path), text))
    problems = list(_check(definition))
    if problems:
        raise FinbackError(*problems)
    overlay = tuple(_overlay(folder.parent / (definition.rootfs or name) / "rootfs"))
    return _made(name, folder, definition, overlay)


def labelled(component: Component, changes: Mapping[str, Any]) -> Component:
    """*component* with the settings *changes* in the place of those that its label has."""
    definition = component.definition
    label = replace(definition.label or Settings(), **changes)
    return _made(component.name, component.folder, replace(definition, label=label), component.overlay)


def _made(name: str, folder: Path, definition: Definition, overlay: tuple[Overlay, ...]) -> Component:
    content = [(o.path, o.mode, o.target, str(Digest.of(o.data))) for o in overlay]
    # What is only said about the component changes nothing of its image.
    image = replace(definition, category="tool", answers=None, exceptions=None, reasons=None, unproven=None, test=None)
    proof = definition.test and replace(definition.test, unseen=None, alone=None)
    return Component(
        name=name,
        folder=folder,
        definition=definition,
        overlay=overlay,
        digest=canonical.digest([image, content]),
        proof_digest=canonical.digest([image, content, proof]),
    )


def _check(definition: Definition) -> Iterator[Diagnostic]:
    yield from _check_patterns(definition)
    for architecture, reason in (definition.exceptions or {}).items():
        span = definition.origin.at("exceptions")
        if architecture not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            yield Diagnostic(
                code="F040", message=f"there is no architecture {architecture}", span=span, help=f"known: {known}"
            )
        elif not reason.strip():
            yield Diagnostic(
                code="F041", message=f"nothing says why it is not for {architecture}", span=span, help="give the reason"
            )
    for added in definition.files or ():
        given = [f for f in ("contents", "symlink", "directory") if getattr(added, f) is not None]
        if len(given) != 1:
            yield Diagnostic(
                code="F041",
                message=f"{added.path} has {' and '.join(given) or 'no content'}",
                span=added.origin.span,
                help="give exactly one of contents, symlink and directory",
            )
    names: set[str] = set()
    for user in definition.users or ():
        if user.name in names:
            yield Diagnostic(
                code="F049",
                message=f"there are two users {user.name}",
                span=user.origin.at("name"),
                help="let one of them go",
            )
        names.add(user.name)
    yield from _check_groups(definition)
    for field in ("keep", "files", "concatenate", "users") if definition.kernel else ():
        if getattr(definition, field) is not None:
            yield Diagnostic(
                code="F049",
                message=f"a kernel takes no {field}",
                span=definition.origin.at(field),
                help="its image is the kernel and the modules that `kernel` names",
            )


def _check_groups(definition: Definition) -> Iterator[Diagnostic]:
    known = {"root", "nobody", *(u.name for u in definition.users or ())}
    for user in definition.users or ():
        for i, group in enumerate(user.groups or ()):
            if group not in known:
                yield Diagnostic(
                    code="F049",
                    message=f"there is no group {group}",
                    span=user.origin.at("groups", i),
                    help="name another user here, whose group it is",
                )


def _check_patterns(definition: Definition) -> Iterator[Diagnostic]:
    keep = definition.keep or Keep()
    found = [(parted(text)[0], keep.origin.at(f, i)) for f in ("programs", "paths", "data", "drop")
             for i, text in enumerate(getattr(keep, f) or ())]  # fmt: skip
    found += [(c.of, c.origin.at("of")) for c in definition.concatenate or ()]
    for text, span in found:
        if not text.startswith("/"):
            yield Diagnostic(code="F040", message=f"{text!r} is not absolute", span=span, help="begin it with /")
            continue
        try:
            pattern(text)
        except ValueError as failure:
            yield Diagnostic(
                code="F040", message=str(failure), span=span, help="write sets such as [a-z]; [[] is a bracket"
            )


def _overlay(root: Path) -> Iterator[Overlay]:
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root).as_posix()
        if path.is_symlink():
            yield Overlay(path=relative, mode=0o777, data=b"", target=str(path.readlink()))
        elif path.is_file():
            # Owner and the exact bits of a checkout depend on who made it; whether a file is a program does not.
            mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
            yield Overlay(path=relative, mode=mode, data=file.read(path, limit=ROOTFS_LIMIT))
