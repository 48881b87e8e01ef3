"""Checks of this machine: what finback needs here, what it found, and what to do where it lacks something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finback.app.machine.accelerator import native_obstacle
from finback.app.mirror import mirrors
from finback.app.workspace import KEYRING, Workspace
from finback.ground.diagnostic import FinbackError
from finback.host import process
from finback.host.machine import host_platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding. `ok` None: it is missing, and only some uses need it."""

    name: str
    ok: bool | None
    found: str
    help: str = ""


def examine(workspace: Workspace) -> Iterator[Check]:
    """Look at everything, one check at a time."""
    yield Check(name="platform", ok=True, found=str(host_platform()))
    yield _store(workspace)
    yield _mirror(workspace)
    keyring = Path(workspace.settings.keyring or KEYRING)
    yield Check(
        name="archive keyring",
        ok=keyring.exists(),
        found=str(keyring) if keyring.exists() else "none",
        help="" if keyring.exists() else "install debian-archive-keyring, or set FINBACK_KEYRING",
    )
    for architecture, program in (
        ("amd64", "x86_64"),
        ("arm64", "aarch64"),
        ("s390x", "s390x"),
        ("riscv64", "riscv64"),
    ):
        found = process.find(f"qemu-system-{program}")
        native = architecture == host_platform().architecture
        yield Check(
            name=f"QEMU for {architecture}",
            ok=True if found else (False if native else None),
            found=str(found or "none"),
            help="" if found else "needed to run images here: install QEMU (Debian: qemu-system)",
        )
    try:
        # The same question as `run` asks, so that both have one answer.
        reason = native_obstacle(workspace.emit)
    except FinbackError as failure:
        reason = failure.diagnostics[0].message
    yield Check(
        name="KVM",
        ok=None if reason else True,
        found=f"not used: {reason}" if reason else "guests run natively",
        help="guests run in software emulation, which is slower" if reason else "",
    )


def _store(workspace: Workspace) -> Check:
    try:
        digest = workspace.store.put(b"finback doctor\n")
        workspace.store.read(digest)
    except FinbackError as failure:
        first = failure.diagnostics[0]
        return Check(name="store", ok=False, found=first.message, help=first.help)
    return Check(name="store", ok=True, found=str(workspace.store.root))


def _mirror(workspace: Workspace) -> Check:
    mirror = workspace.settings.mirror or mirrors().debian
    if mirror:
        return Check(name="Debian mirror", ok=True, found=mirror)
    return Check(name="Debian mirror", ok=False, found="none", help="set FINBACK_MIRROR to the URL of one")
