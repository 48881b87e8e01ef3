"""Where a container's root is read-only, what is to be mounted in it has a place there."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.assemble.bootable._facts import Questions, of_container
from finback.assemble.oci_config import mounts
from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.source import Span
from finback.resolve.plan import Container


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A warning for each mount point that is not there. LinuxKit's init would make it, finback's can't."""
    for container in subject.system.plan.containers:
        image = container.image.digest
        if not container.settings.readonly or image is None:
            continue
        places = [posixpath.normpath(m["destination"]) for m in mounts(container.settings, {}) if m["destination"]]
        # What lies in another mount has its place there.
        own = tuple(p for p in places if not any(p != q and p.startswith(f"{q}/") for q in places))
        answers = of_container(subject, image, Questions(paths=own))
        for place, there in zip(own, answers.there, strict=True):
            if not there:
                yield Diagnostic(
                    code="F193",
                    message=f"{container.name} is read-only, and its image has no {place} to mount at",
                    span=_span(container, place),
                    help="take an image that has it, mount elsewhere, or leave `readonly` out",
                    severity=Severity.WARNING,
                )


def _span(container: Container, place: str) -> Span | None:
    settings, origin = container.settings, container.origin
    for key, values in (("binds", settings.binds or ()), ("tmpfs", settings.tmpfs or ())):
        for number, text in enumerate(values):
            if place in (posixpath.normpath(p) for p in text.split(":")[:2]):
                return origin.at(key, number)
    return origin.at("mounts")


CHECK = check
