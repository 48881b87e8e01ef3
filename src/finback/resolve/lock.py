"""The lock file: what the names of a spec meant when they were last resolved, and what was made of them.

``NAME.lock`` stands beside the YAML and belongs in version control. It is JSON with a fixed order, so that a diff shows
what changed: per platform, each image with its digest and version, and for images of the library each Debian package
with its version and hash. Files that the YAML extends, and choices of the command line, stand beside the platforms.
For each platform `systems` has what else reaches a byte of the image: the files of the machine that builds, the time of
all files, the digest of the plan, and the digests of the outputs that were last built.

docs/reference/lock.md describes the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from finback.codec import strict_json
from finback.codec.strict_json import Node
from finback.ground import canonical
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.resolve.plan import ImagePin, PackagePin, Plan

FORMAT_VERSION = 2
# Version 1 has no `systems`: it pins images and extended files alone.
READABLE = (1, 2)
ABSENT = "absent"
# The bytes of a lock file; that of a system with every component of the library has 1 MB.
LIMIT = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The files that one format was written as."""

    options: str
    """The options that decide their bytes besides the plan: name, compression, size."""
    by: str
    """The version of finback, and of the compressor."""
    files: Mapping[str, Digest]
    """Digests by what follows the build's name in the files' names: `-kernel`, `.iso`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPin:
    """What the system for one platform is made of besides images."""

    plan: Digest
    """Digest of the plan as the image has it."""
    epoch: int
    """SOURCE_DATE_EPOCH."""
    files: Mapping[str, Digest | None] = field(default_factory=dict)
    """Files of the machine that builds, by their paths from the lock file; None for one that was not there."""
    made: Mapping[str, Made] = field(default_factory=dict)
    """What was built last, by format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Which names are answered by other images: what `--library` and `--substitute` said."""

    library: bool = False
    substitutes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lock:
    """Pins by platform, then by expanded reference."""

    platforms: Mapping[str, Mapping[str, ImagePin]] = field(default_factory=dict)
    extends: Mapping[str, Digest] = field(default_factory=dict)
    """Files that are extended, by the name that the lock has for them."""
    systems: Mapping[str, SystemPin] = field(default_factory=dict)
    """The rest that is pinned, by platform. A lock of version 1 has none."""
    answers: Answers = Answers()

    def pin(self, platform: str, reference: str) -> ImagePin | None:
        """What *reference* was for *platform*, or None."""
        return self.platforms.get(platform, {}).get(reference)

    def loaders(self, platform: str) -> tuple[str, ...]:
        """References of the boot loaders that are pinned for *platform*."""
        return tuple(r for r, pin in self.platforms.get(platform, {}).items() if pin.loader)

    def with_plan(self, plan: Plan) -> Lock:
        """This lock with the pins of *plan*; other platforms stay as they are, and so do loaders of other formats."""
        pins: dict[str, ImagePin] = {}
        for image in plan.images:
            known = pins.get(image.reference)
            if known is None:
                pins[image.reference] = image
            else:
                chosen = image if image.substitutes and not known.substitutes else known
                pins[image.reference] = replace(chosen, loader=known.loader or image.loader)
        for reference, pin in self.platforms.get(str(plan.platform), {}).items():
            if pin.loader:
                pins.setdefault(reference, pin)
        return replace(self, platforms={**self.platforms, str(plan.platform): pins})

    def with_files(self, plan: Plan, files: Mapping[str, Digest | None]) -> Lock:
        """This lock with what *plan* is made of besides images. What was built stays while the plan stays the same."""
        old = self.systems.get(str(plan.platform))
        digest = plan_digest(plan)
        made = old.made if old is not None and old.plan == digest else {}
        system = SystemPin(plan=digest, epoch=plan.epoch, files=dict(files), made=made)
        return replace(self, systems={**self.systems, str(plan.platform): system})

    def beside(self, current: Lock, platform: Platform) -> Lock:
        """This lock, made for *platform*, with what *current* has for other platforms."""
        ours = str(platform)
        others = {p: pins for p, pins in current.platforms.items() if p != ours}
        systems = {p: system for p, system in current.systems.items() if p != ours}
        return replace(
            self,
            platforms={**others, **{p: v for p, v in self.platforms.items() if p == ours}},
            systems={**systems, **{p: v for p, v in self.systems.items() if p == ours}},
        )

    def with_made(self, platform: str, made: Mapping[str, Made]) -> Lock:
        """This lock with the digests of what was built for *platform*, which it must pin already."""
        system = self.systems[platform]
        return replace(self, systems={**self.systems, platform: replace(system, made={**system.made, **made})})

    def without(self, platform: str, references: Iterable[str]) -> Lock:
        """This lock without the pins of *references*, so that they are resolved anew."""
        drop = set(references)
        kept = {r: p for r, p in self.platforms.get(platform, {}).items() if r not in drop}
        extends = {r: d for r, d in self.extends.items() if r not in drop}
        return replace(self, platforms={**self.platforms, platform: kept}, extends=extends)


def plan_digest(plan: Plan) -> Digest:
    """The identity of the system that *plan* describes: without the build's name and what only formats need."""
    return canonical.digest(replace(plan, name="", loaders=()))


def decode(text: str, name: str) -> Lock:
    """Read a lock file's text; *name* is the file's name for errors.

    Raises:
        FinbackError: F601, it is not a lock file of a version that this finback reads.

    """
    remedy = f"take back what has changed in {name}, or delete it and run `finback lock` to write it anew"
    try:
        body = strict_json.read(text, limit=LIMIT)
        version = body.need("version").integer()
        if version not in READABLE:
            raise error("F601", f"{name} has lock format {version}; this finback reads {FORMAT_VERSION}", help=remedy)
        return Lock(
            {p: {r: _image(r, i) for r, i in images.members().items()} for p, images in _required(body, "platforms")},
            {r: _digest(d) for r, d in body.get("extends").members().items()},
            {p: _system(s) for p, s in body.get("systems").members().items()},
            Answers(
                library=body.get("library").boolean(),
                substitutes=tuple(rule.text() for rule in body.get("substitute").items()),
            ),
        )
    except strict_json.JsonError as failure:
        raise error("F601", f"{name} is not a lock file: {failure}"[:300], help=remedy) from None


def _required(node: Node, key: str) -> Iterable[tuple[str, Node]]:
    return node.need(key).members().items()


def _digest(node: Node) -> Digest:
    try:
        return Digest.parse(node.text())
    except strict_json.JsonError:
        raise
    except ValueError:
        raise strict_json.JsonError(f"{node.path} is no digest: {node.text()[:100]!r}") from None


def _system(node: Node) -> SystemPin:
    return SystemPin(
        plan=_digest(node.need("plan")),
        epoch=node.need("epoch").integer(),
        files={p: None if d.value == ABSENT else _digest(d) for p, d in node.get("files").members().items()},
        made={name: _made(value) for name, value in node.get("made").members().items()},
    )


def _made(node: Node) -> Made:
    files = {suffix: _digest(d) for suffix, d in _required(node, "files")}
    return Made(options=node.need("options").text(), by=node.need("by").text(), files=files)


def _image(reference: str, node: Node) -> ImagePin:
    definition = node.get("definition")
    return ImagePin(
        reference=reference,
        digest=_digest(node.need("digest")),
        substitutes=node.get("substitutes").text(""),
        version=node.get("version").text(""),
        definition=_digest(definition) if definition else None,
        packages=tuple(_package(p) for p in node.get("packages").items()),
        loader=node.get("loader").boolean(),
    )


def _package(node: Node) -> PackagePin:
    return PackagePin(
        name=node.need("name").text(),
        version=node.need("version").text(),
        architecture=node.need("architecture").text(),
        filename=node.need("filename").text(),
        size=node.need("size").integer(),
        digest=_digest(node.need("digest")),
        archive=node.get("archive").text("debian"),
    )


def encode(lock: Lock) -> str:
    """The text of a lock file."""
    body: dict[str, Any] = {"version": FORMAT_VERSION}
    if lock.answers.library:
        body["library"] = True
    if lock.answers.substitutes:
        body["substitute"] = list(lock.answers.substitutes)
    if lock.extends:
        body["extends"] = {r: str(d) for r, d in sorted(lock.extends.items())}
    if lock.systems:
        body["systems"] = {platform: _written(system) for platform, system in sorted(lock.systems.items())}
    body["platforms"] = {
        platform: {reference: describe(pin) for reference, pin in sorted(pins.items())}
        for platform, pins in sorted(lock.platforms.items())
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _written(system: SystemPin) -> dict[str, Any]:
    out: dict[str, Any] = {"plan": str(system.plan), "epoch": system.epoch}
    if system.files:
        out["files"] = {p: ABSENT if d is None else str(d) for p, d in sorted(system.files.items())}
    if system.made:
        out["made"] = {
            name: {"options": made.options, "by": made.by, "files": {s: str(d) for s, d in sorted(made.files.items())}}
            for name, made in sorted(system.made.items())
        }
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between two locks. `before` or `after` is "" where there was or is nothing."""

    platform: str
    subject: str
    before: str
    after: str


def compare(old: Lock, new: Lock) -> tuple[Change, ...]:
    """What changed from *old* to *new*: images, and below them packages."""
    changes: list[Change] = []
    for reference in sorted({*old.extends, *new.extends}):
        was, now = old.extends.get(reference), new.extends.get(reference)
        if was != now:
            short = [d.short if d else "" for d in (was, now)]
            changes.append(Change(platform="extends", subject=reference, before=short[0], after=short[1]))
    for platform in sorted({*old.systems, *new.systems}):
        changes += _files(platform, old.systems.get(platform), new.systems.get(platform))
    for platform in sorted({*old.platforms, *new.platforms}):
        before, after = old.platforms.get(platform, {}), new.platforms.get(platform, {})
        for reference in sorted({*before, *after}):
            a, b = before.get(reference), after.get(reference)
            if a and b and replace(a, substitutes="") == replace(b, substitutes=""):
                continue
            changes.append(Change(platform=platform, subject=reference, before=_short(a), after=_short(b)))
            changes += _packages(platform, a, b)
    return tuple(changes)


def _files(platform: str, a: SystemPin | None, b: SystemPin | None) -> list[Change]:
    before, after = (s.files if s else {} for s in (a, b))
    found = [
        Change(platform=platform, subject=path, before=_file(before, path), after=_file(after, path))
        for path in sorted({*before, *after})
        if path not in before or path not in after or before[path] != after[path]
    ]
    plans = [s.plan.short if s else "" for s in (a, b)]
    if plans[0] != plans[1]:
        found.append(Change(platform=platform, subject="plan", before=plans[0], after=plans[1]))
    return found


def _file(files: Mapping[str, Digest | None], path: str) -> str:
    if path not in files:
        return ""
    digest = files[path]
    return ABSENT if digest is None else digest.short


def _packages(platform: str, a: ImagePin | None, b: ImagePin | None) -> list[Change]:
    if a is None or b is None:
        return []
    before, after = ({p.name: p.version for p in pin.packages} for pin in (a, b))
    return [
        Change(platform=platform, subject="  " + name, before=before.get(name, ""), after=after.get(name, ""))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _short(pin: ImagePin | None) -> str:
    return "" if pin is None else f"{pin.version} ({pin.digest.short if pin.digest else 'no digest'})".strip()


def describe(pin: ImagePin) -> dict[str, Any]:
    """*pin* as the lock file has it: JSON's types, without the reference, which is its key."""
    out: dict[str, Any] = {"digest": str(pin.digest)}
    if pin.version:
        out["version"] = pin.version
    if pin.substitutes:
        out["substitutes"] = pin.substitutes
    if pin.loader:
        out["loader"] = True
    if pin.definition:
        out["definition"] = str(pin.definition)
    if pin.packages:
        out["packages"] = [
            {
                "name": p.name,
                "version": p.version,
                "architecture": p.architecture,
                "filename": p.filename,
                "size": p.size,
                "digest": str(p.digest),
                **({"archive": p.archive} if p.archive != "debian" else {}),
            }
            for p in pin.packages
        ]
    return out


def described(reference: str, data: Any) -> ImagePin:
    """The pin of *reference* that `describe` gave, read from JSON.

    Raises:
        ValueError: it is none.

    """
    return _image(reference, Node(data))
