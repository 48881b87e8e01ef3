"""Each container's program is in its image, for this machine, with its interpreter and libraries.

So is the script that the program is told to read (`sh /poweroff.sh`), and the program that a wrapper is told to start.

Source: OCI runtime specification 1.2, config.md, "POSIX process": args[0] is looked up as execvp(3) does it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.assemble.bootable._command import started
from finback.assemble.bootable._facts import Questions, of_container
from finback.assemble.bootable._program import Program
from finback.assemble.bootable._words import describe
from finback.assemble.oci_config import mounts
from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.platform import Platform
from finback.oci.configuration import DEFAULT_PATH
from finback.resolve.plan import Container

# What lets a kernel run programs of other machines, and other kinds of programs.
INTERPRETERS = "binfmt"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each container that can't start."""
    plan = subject.system.plan
    foreign = any(INTERPRETERS in c.image.reference for c in plan.containers)
    for container in plan.containers:
        command = container.settings.command
        if not command or container.image.digest is None:
            continue
        asked = tuple(_program(container, name, plan.platform, script=script) for name, script in started(command))
        troubles = of_container(subject, container.image.digest, Questions(programs=asked)).troubles
        found = next((t for t in troubles if t), None)
        if not found:
            continue
        message, remedy = describe(found)
        origin = container.origin
        own = ("command",) in origin.spans and found[0] in ("absent", "mode")
        # What fails at the shutdown does not keep a machine from its work.
        optional = container.section == "onshutdown" or (foreign and found[0] in ("machine", "format"))
        yield Diagnostic(
            code="F191",
            message=f"{container.name} {message}",
            span=origin.at("command") if own else origin.at("image"),
            help=remedy,
            notes=(f"its image is {container.image.reference}",),
            severity=Severity.WARNING if optional else Severity.ERROR,
        )


def _program(container: Container, name: str, platform: Platform, *, script: bool) -> Program:
    settings = container.settings
    environment = dict(e.partition("=")[::2] for e in settings.env or ())
    runtime = settings.runtime.mounts if settings.runtime else None
    inside = {posixpath.join("/", m.destination) for m in runtime or () if m.destination and m.destination[0] != "/"}
    over = {posixpath.normpath(m["destination"]) for m in mounts(settings, {})}
    return Program(
        name=name,
        script=script,
        path=environment.get("PATH", DEFAULT_PATH),
        cwd=settings.cwd or "/",
        covered=tuple(sorted(over | inside)),
        platform=platform,
    )


CHECK = check
