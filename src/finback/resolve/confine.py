"""How far a container is confined where nothing says it: as far as what it asks for allows.

LinuxKit confines a container by capabilities and namespaces alone. What else container runtimes confine is added here,
but for where the container's own capabilities or mounts show that it is meant to reach what that would hide
(docs/decisions/0012-confinement.md). Source: moby, oci/defaults.go; containers/common, pkg/config.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from finback.spec.capability import CAPABILITIES, expand
from finback.spec.limit import DeviceCgroup, Pids, Resources
from finback.spec.model import Settings
from finback.spec.mount import inside, parse_bind, parse_tmpfs

MASKED = (
    "/proc/acpi", "/proc/asound", "/proc/dynamic_debug", "/proc/interrupts", "/proc/kcore", "/proc/keys",
    "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
    "/sys/devices/virtual/powercap", "/sys/firmware",
)  # fmt: skip
"""Docker's list, and the kernel's switches for debug messages, which root writes without a capability."""
READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/mtrr", "/proc/sys", "/proc/sysrq-trigger", "/sys")
"""Docker's list; its mount of /sys, which is read-only; and the memory type ranges of x86."""
CONFINED = ("masked_paths", "readonly_paths", "no_new_privileges", "seccomp", "cgroupns", "resources")
"""The fields of settings that are filled in here."""
PIDS = 2048
"""How many processes and threads a container may have. Source: containers.conf(5), pids_limit."""
NO_DEVICES = DeviceCgroup(allow=False, access="rwm")
"""Without it crun lets a container use every node that it makes. Runtimes allow the usual devices beside it."""
DEVICES = "/dev"
SYSCTLS = "/proc/sys"
CGROUPS = "/sys/fs/cgroup"


def confine(settings: Settings) -> tuple[Settings, tuple[str, ...]]:
    """*settings* with the confinement that nothing is said of, and in words what of the usual one is missing."""
    held = frozenset({*expand(settings.capabilities), *expand(settings.ambient)})
    relaxed: list[str] = []
    privileged = "CAP_SYS_ADMIN" in held
    values: dict[str, Any] = {
        "no_new_privileges": _no_new_privileges(settings, held, relaxed),
        "seccomp": _seccomp(settings, held, relaxed),
        "cgroupns": _cgroupns(settings, relaxed, privileged=privileged),
        "resources": _devices(settings, _resources(settings, relaxed, privileged=privileged), held, relaxed),
    }
    destinations = _destinations(settings)
    for field, usual in (("masked_paths", MASKED), ("readonly_paths", READONLY)):
        given = getattr(settings, field)
        word = "hidden" if field == "masked_paths" else "read-only"
        # What is made read-only is one mount, not those below it; what is hidden is hidden whole.
        spared = _reached if field == "masked_paths" else _replaced
        if given is None:
            paths = () if privileged else tuple(p for p in usual if not spared(p, destinations))
            if "CAP_NET_ADMIN" in held:
                paths = tuple(p for p in paths if p != SYSCTLS)
            values[field] = paths
            missing = [p for p in usual if p not in paths]
        else:
            missing = [p for p in usual if p not in given]
        if missing:
            what = "nothing of /proc and /sys is" if len(missing) == len(usual) else f"{', '.join(missing)} not"
            relaxed.append(f"{what} {word}")
    return replace(settings, **values), tuple(relaxed)


def _no_new_privileges(settings: Settings, held: frozenset[str], relaxed: list[str]) -> bool:
    # Without capabilities there are none to be gained; with some, set-user-id programs may be what they are for.
    value = not held if settings.no_new_privileges is None else settings.no_new_privileges
    if not value:
        relaxed.append("programs may gain privileges by set-user-id bits")
    return value


def _seccomp(settings: Settings, held: frozenset[str], relaxed: list[str]) -> str:
    value = settings.seccomp or ("unconfined" if held >= set(CAPABILITIES) else "default")
    if value == "unconfined":
        relaxed.append("every system call is allowed")
    return value


def _cgroupns(settings: Settings, relaxed: list[str], *, privileged: bool) -> str:
    made = bool(settings.runtime and settings.runtime.cgroups)
    sees = privileged or made or settings.pid in ("host", "root") or _reached(CGROUPS, _destinations(settings))
    value = settings.cgroupns or ("root" if sees else "new")
    if value in ("host", "root"):
        relaxed.append("it sees the machine's cgroups")
    return value


def _resources(settings: Settings, relaxed: list[str], *, privileged: bool) -> Resources | None:
    given = settings.resources
    pids = given.pids if given else None
    if pids is None and not privileged:
        return replace(given or Resources(), pids=Pids(limit=PIDS))
    if pids is None or pids.limit <= 0:
        relaxed.append("it may have any number of processes")
    return given


def _devices(
    settings: Settings, resources: Resources | None, held: frozenset[str], relaxed: list[str]
) -> Resources | None:
    """*resources*, with a rule against the devices of nodes that the container makes."""
    if "CAP_MKNOD" not in held or settings.devices or (resources and resources.devices):
        return resources
    if "CAP_SYS_ADMIN" in held:
        return resources
    if _reached(DEVICES, _destinations(settings)):
        relaxed.append("it may use every device whose node it makes")
        return resources
    return replace(resources or Resources(), devices=(NO_DEVICES,))


def _destinations(settings: Settings) -> frozenset[str]:
    """Where something is mounted by the container's own wish."""
    found = [parse_bind(b).destination for b in settings.binds or ()]
    found += [inside(m.destination) for m in settings.mounts or () if m.destination]
    found += [parse_tmpfs(t)[0] for t in settings.tmpfs or ()]
    return frozenset(p.rstrip("/") for p in found)


def _replaced(path: str, destinations: frozenset[str]) -> bool:
    """Whether something is mounted at *path*, or in the place of what it is in."""
    return any(d == path or (d and path.startswith(d + "/")) for d in destinations)


def _reached(path: str, destinations: frozenset[str]) -> bool:
    """Whether something is mounted at *path*, below it, or in the place of what it is in."""
    return any(d == path or d.startswith(path + "/") or (d and path.startswith(d + "/")) for d in destinations)
