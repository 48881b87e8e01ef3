"""What is mounted in a container has a place there: a folder, or nothing yet, which the runtime makes a folder of."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.assemble.bootable._facts import Questions, of_container
from finback.assemble.oci_config import mounts
from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span
from finback.resolve.plan import Container


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each mount point that is a file. What a bind brings may be one itself, and is passed over."""
    for container in subject.system.plan.containers:
        if container.image.digest is None:
            continue
        found = [m for m in mounts(container.settings, {}) if m["destination"]]
        places = [posixpath.normpath(m["destination"]) for m in found]
        # What lies in another mount has its place there.
        own = tuple(
            p
            for p, m in zip(places, found, strict=True)
            if m["type"] != "bind"
            and not {"bind", "rbind"} & set(m.get("options", ()))
            and not any(p != q and p.startswith(f"{q}/") for q in places)
        )
        answers = of_container(subject, container.image.digest, Questions(folders=own))
        for place, free in zip(own, answers.free, strict=True):
            if not free:
                yield Diagnostic(
                    code="F193",
                    message=f"{container.name} mounts a file system at {place}, and its image has a file there",
                    span=_span(container, place),
                    help="mount it elsewhere, or take an image without that file",
                )


def _span(container: Container, place: str) -> Span | None:
    settings, origin = container.settings, container.origin
    for number, text in enumerate(settings.tmpfs or ()):
        if posixpath.normpath(text.split(":")[0]) == place:
            return origin.at("tmpfs", number)
    return origin.at("mounts")


CHECK = check
