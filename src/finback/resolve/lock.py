"""The lock file: what the names of a spec meant when they were last resolved.

``NAME.lock`` stands beside the YAML and belongs in version control. It is JSON with a fixed order, so that a diff shows
what changed: per platform, each image with its digest and version, and for images of the library each Debian package
with its version and hash. Files that the YAML extends stand beside the platforms.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from finback.codec import strict_json
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.resolve.plan import ImagePin, PackagePin, Plan

FORMAT_VERSION = 1
# The bytes of a lock file; that of a system with every component of the library has 1 MB.
LIMIT = 64 << 20


@dataclass(frozen=True, slots=True)
class Lock:
    """Pins by platform, then by expanded reference."""

    platforms: Mapping[str, Mapping[str, ImagePin]] = field(default_factory=dict)
    extends: Mapping[str, Digest] = field(default_factory=dict)
    """Files that are extended, by the name that the lock has for them."""

    def pin(self, platform: str, reference: str) -> ImagePin | None:
        """What *reference* was for *platform*, or None."""
        return self.platforms.get(platform, {}).get(reference)

    def with_plan(self, plan: Plan) -> Lock:
        """This lock with the pins of *plan*; other platforms stay as they are, and so do loaders of other formats."""
        pins: dict[str, ImagePin] = {}
        for image in plan.images:
            known = pins.get(image.reference)
            if known is None or (image.substitutes and not known.substitutes):
                pins[image.reference] = image
        for reference, pin in self.platforms.get(str(plan.platform), {}).items():
            if pin.loader:
                pins.setdefault(reference, pin)
        return replace(self, platforms={**self.platforms, str(plan.platform): pins})

    def without(self, platform: str, references: Iterable[str]) -> Lock:
        """This lock without the pins of *references*, so that they are resolved anew."""
        drop = set(references)
        kept = {r: p for r, p in self.platforms.get(platform, {}).items() if r not in drop}
        extends = {r: d for r, d in self.extends.items() if r not in drop}
        return Lock({**self.platforms, platform: kept}, extends)


def decode(text: str, name: str) -> Lock:
    """Read a lock file's text; *name* is the file's name for errors.

    Raises:
        FinbackError: F601, it is not a lock file of a version that this finback reads.

    """
    remedy = f"delete {name} and run `finback lock` to write it anew"
    try:
        data = strict_json.plain(text, limit=LIMIT)
        if data["version"] != FORMAT_VERSION:
            raise error(
                "F601", f"{name} has lock format {data['version']!r}; this finback reads {FORMAT_VERSION}", help=remedy
            )
        platforms = {p: {r: described(r, v) for r, v in images.items()} for p, images in data["platforms"].items()}
        return Lock(platforms, {r: Digest.parse(d) for r, d in data.get("extends", {}).items()})
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        raise error("F601", f"{name} is not a lock file: {failure!r}", help=remedy) from None


def encode(lock: Lock) -> str:
    """The text of a lock file."""
    platforms = {
        platform: {reference: describe(pin) for reference, pin in sorted(pins.items())}
        for platform, pins in sorted(lock.platforms.items())
    }
    extends = {"extends": {r: str(d) for r, d in sorted(lock.extends.items())}} if lock.extends else {}
    body = {"version": FORMAT_VERSION, **extends, "platforms": platforms}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


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
    for platform in sorted({*old.platforms, *new.platforms}):
        before, after = old.platforms.get(platform, {}), new.platforms.get(platform, {})
        for reference in sorted({*before, *after}):
            a, b = before.get(reference), after.get(reference)
            if a and b and replace(a, substitutes="") == replace(b, substitutes=""):
                continue
            changes.append(Change(platform=platform, subject=reference, before=_short(a), after=_short(b)))
            changes += _packages(platform, a, b)
    return tuple(changes)


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


def described(reference: str, data: Mapping[str, Any]) -> ImagePin:
    """The pin of *reference* that `describe` gave.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: it is none.

    """
    packages = tuple(
        PackagePin(**{**p, "digest": Digest.parse(p["digest"]), "size": int(p["size"])})
        for p in data.get("packages", ())
    )
    return ImagePin(
        reference=reference,
        digest=Digest.parse(data["digest"]),
        substitutes=data.get("substitutes", ""),
        version=data.get("version", ""),
        definition=Digest.parse(data["definition"]) if "definition" in data else None,
        packages=packages,
        loader=bool(data.get("loader", False)),
    )
