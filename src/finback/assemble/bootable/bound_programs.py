"""A program of the machine that is mounted into a container finds its interpreter and libraries there.

LinuxKit's files bind /usr/bin/runc and /usr/bin/ctr, which are static there; Debian's need glibc. A warning, as nothing
says whether the container starts the program.

Source: ld.so(8).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.assemble.bootable._facts import Questions, of_container, of_root
from finback.assemble.oci_config import mounts
from finback.ground.diagnostic import Diagnostic, Severity
from finback.spec.mount import parse_bind


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A warning for each program that would not start in the container that it is mounted into."""
    containers = [c for c in subject.system.plan.containers if c.image.digest is not None]
    bound = [(c, [parse_bind(text) for text in c.settings.binds or ()]) for c in containers]
    sources = tuple(sorted({b.source for _, binds in bound for b in binds if b.source.startswith("/")}))
    if not sources:
        return
    needs = dict(zip(sources, of_root(subject, Questions(loads=sources)).loads, strict=True))
    for container, binds in bound:
        covered = [m["destination"] for m in mounts(container.settings, {})]
        for number, bind in enumerate(binds):
            wanted = tuple(n for n in needs.get(bind.source, ()) if not _covers(covered, n))
            if not wanted or container.image.digest is None:
                continue
            there = of_container(subject, container.image.digest, Questions(has=wanted)).has
            missing = [name for name, has in zip(wanted, there, strict=True) if not has]
            if missing:
                what = f"{bind.source} of the machine, which needs {', '.join(missing)}"
                yield Diagnostic(
                    code="F191",
                    message=f"{container.name} mounts {what}, and its image has none",
                    span=container.origin.at("binds", number),
                    help="use an image that has it, or, with `pid: host`, let the machine run it: "
                    f"nsenter -t 1 -m -- {bind.source}",
                    severity=Severity.WARNING,
                )


def _covers(covered: list[str], path: str) -> bool:
    """Whether *path* lies below a mount, so that nobody knows what is there."""
    return any(path == c or path.startswith(f"{posixpath.normpath(c).rstrip('/')}/") for c in covered)


CHECK = check
