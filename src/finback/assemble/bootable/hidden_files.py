"""A file of the spec can be seen once the machine runs: not in the folders over which the boot mounts memory.

Source: LinuxKit's rc.init, which mounts a tmpfs at /run, /tmp and /var; finback/init does the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.ground.diagnostic import Diagnostic, Severity

COVERED = ("run", "tmp", "var")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A warning for each file in such a folder. An empty folder there is made again by whoever needs it."""
    if not subject.system.plan.init:
        return
    for item in subject.system.plan.files:
        top, _, rest = item.path.strip("/").partition("/")
        if top in COVERED and rest and item.content is not None:
            yield Diagnostic(
                code="F184",
                message=f"the boot mounts a file system in memory at /{top}, which hides /{item.path.strip('/')}",
                span=item.origin.span,
                help="put it below /etc or /usr and bind it, or let a step of `onboot` copy it",
                severity=Severity.WARNING,
            )


CHECK = check
