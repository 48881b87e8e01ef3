"""A container's user and group exist in its user namespace, where it has one of its own.

Source: user_namespaces(7): ids that are not mapped can't be taken.
"""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.ground.diagnostic import Diagnostic


def check(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each id that is not mapped."""
    for container in subject.system.plan.containers:
        settings = container.settings
        for key, number, mappings in (
            ("uid", settings.uid, settings.uid_mappings),
            ("gid", settings.gid, settings.gid_mappings),
        ):
            wanted = int(number or 0)
            if settings.userns != "new" or not mappings:
                continue
            if not any((m.container_id or 0) <= wanted < (m.container_id or 0) + (m.size or 0) for m in mappings):
                yield Diagnostic(
                    code="F196",
                    message=f"{container.name} runs as {key} {wanted}, which its user namespace does not map",
                    span=container.origin.at(key),
                    help=f"let `{key}Mappings` hold {wanted}, or choose another {key}",
                )


CHECK = check
