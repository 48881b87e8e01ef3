"""A container's OCI runtime configuration, as LinuxKit derives it from settings.

Source: compat 1.6 and 2.8; OCI runtime specification 1.2, config.md and config-linux.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from finback.ground.source import Origin
from finback.resolve.plan import Container
from finback.spec.capability import expand
from finback.spec.model import Device, Mount, Settings
from finback.spec.mount import inside, parse_bind, parse_rlimit, parse_tmpfs

OCI_VERSION = "1.2.1"
SELF_NAMED = {
    "proc": "/proc", "devpts": "/dev/pts", "sysfs": "/sys", "cgroup": "/sys/fs/cgroup", "mqueue": "/dev/mqueue",
}  # fmt: skip
SYS = "/sys"
TMPFS_SIZE = "25%"
"""How much of the machine's memory a container's tmpfs may take where nothing says it."""
# Where LinuxKit's YAML spells a key in another way than the specification.
SPELLED = {"block_io": "blockIO"}


def config(
    container: Container,
    volumes: Mapping[str, str],
    root: str = "rootfs",
    hooks: Mapping[str, Any] | None = None,
    seccomp: Mapping[str, Any] | None = None,
    oom_score_adj: int | None = None,
) -> dict[str, Any]:
    """The configuration as JSON's types, keys in the specification's order, nothing empty.

    *volumes* gives the path of each volume's content; *root* is `root.path`; *hooks* are programs that the
    runtime calls in the machine, outside the container; *seccomp* is the profile; *oom_score_adj* is how readily the
    kernel kills the container where nothing says it.
    """
    settings = container.settings
    if settings.oom_score_adj is None:
        settings = replace(settings, oom_score_adj=oom_score_adj)
    out: dict[str, Any] = {
        "ociVersion": OCI_VERSION,
        "process": _process(settings),
        "root": _given({"path": root, "readonly": settings.readonly}),
        "hostname": settings.hostname,
        "mounts": mounts(settings, volumes),
        "hooks": hooks,
        "annotations": dict(sorted((settings.annotations or {}).items())),
        "linux": _linux(settings, seccomp),
    }
    return _given(out)


def encode(value: Mapping[str, Any]) -> bytes:
    """JSON as Go's encoder writes it: indented by four; ``<``, ``>``, ``&`` and Unicode's line ends escaped."""
    text = json.dumps(value, indent=4, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "surrogateescape")


def _given(value: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in value.items() if v not in (None, "", [], {}, ()) and v is not False}


def _process(settings: Settings) -> dict[str, Any]:
    user = {"uid": settings.uid or 0, "gid": settings.gid or 0, "additionalGids": list(settings.additional_gids or ())}
    limits = [dict(zip(("type", "soft", "hard"), parse_rlimit(r), strict=True)) for r in settings.rlimits or ()]
    return {
        "user": {k: v for k, v in user.items() if k != "additionalGids" or v},
        **_given({"args": list(settings.command or ()), "env": list(settings.env or ())}),
        "cwd": settings.cwd or "/",
        # Present even when empty, which takes every capability away.
        "capabilities": _capabilities(settings),
        **_given(
            {
                "rlimits": [{"type": r["type"], "hard": r["hard"], "soft": r["soft"]} for r in limits],
                "noNewPrivileges": settings.no_new_privileges,
            }
        ),
        **({} if settings.oom_score_adj is None else {"oomScoreAdj": settings.oom_score_adj}),
    }


def _capabilities(settings: Settings) -> dict[str, Any]:
    own, ambient = expand(settings.capabilities), expand(settings.ambient)
    everything = sorted({*own, *ambient})
    sets = {"bounding": everything, "effective": list(own), "inheritable": everything, "permitted": everything}
    return _given({**sets, "ambient": list(ambient)})


def mounts(settings: Settings, volumes: Mapping[str, str]) -> list[dict[str, Any]]:
    """All mounts, by destination: defaults, tmpfs, binds, mounts; a later one of a destination replaces an earlier."""
    readonly = ["ro"] if settings.readonly else []
    readonly_sys = ["ro"] if SYS in (settings.readonly_paths or ()) else []
    found = {
        m["destination"]: m
        for m in (
            _mount("/proc", "proc", "proc", ["nosuid", "nodev", "noexec", "relatime"]),
            _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k", *readonly]),
            _mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
            _mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", *(readonly or readonly_sys)]),
            _mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", "ro"]),
        )
    }
    for text in settings.tmpfs or ():
        destination, options = parse_tmpfs(text)
        found[destination] = _mount(destination, "tmpfs", "tmpfs", _sized(options))
    for text in settings.binds or ():
        bind = parse_bind(text)
        source = volumes.get(bind.source, bind.source)
        found[bind.destination] = _mount(bind.destination, "bind", source, list(bind.options))
    for mount in settings.mounts or ():
        made = own_mount(mount, volumes)
        found[made["destination"]] = made
    return [found[d] for d in sorted(found, key=lambda d: d.encode("utf-8", "surrogateescape"))]


def own_mount(mount: Mount, volumes: Mapping[str, str]) -> dict[str, Any]:
    """A mount of the spec with what it leaves out filled in (compat 1.6.1)."""
    kind = mount.type or (mount.source if mount.source in SELF_NAMED else "") or "tmpfs"
    source, options = mount.source or kind, list(mount.options or ())
    if kind == "bind" and source in volumes:
        source, options = volumes[source], _bound(options)
    if kind == "tmpfs":
        options = _sized(options)
    place = inside(mount.destination) if mount.destination else SELF_NAMED.get(kind, "")
    made = _mount(place, kind, source, options)
    for name, given in (("uidMappings", mount.uid_mappings), ("gidMappings", mount.gid_mappings)):
        if given:
            made[name] = plain(given)
    return made


def _sized(options: Sequence[str]) -> list[str]:
    """Options of a tmpfs with a size, which without one is half of the memory."""
    given = any(o.startswith(("size=", "nr_blocks=")) or o in ("remount", "bind", "rbind") for o in options)
    return [*options] if given else [*options, f"size={TMPFS_SIZE}"]


def _bound(options: list[str]) -> list[str]:
    return options if "bind" in options or "rbind" in options else [*options, "rbind"]


def _mount(destination: str, kind: str, source: str, options: Sequence[str]) -> dict[str, Any]:
    out: dict[str, Any] = {"destination": destination, "type": kind, "source": source}
    return {**out, "options": list(options)} if options else out


def _linux(settings: Settings, seccomp: Mapping[str, Any] | None) -> dict[str, Any]:
    nodes, rules = _devices(settings.devices or ())
    limits = plain(settings.resources) if settings.resources else {}
    rules = [*limits.pop("devices", ()), *rules]
    resources = {"devices": rules, **limits} if rules else limits
    return {
        **_given(
            {
                "uidMappings": plain(settings.uid_mappings or ()),
                "gidMappings": plain(settings.gid_mappings or ()),
                "sysctl": dict(sorted((settings.sysctl or {}).items())),
            }
        ),
        "resources": resources,
        **_given(
            {
                "cgroupsPath": settings.cgroups_path,
                "namespaces": namespaces(settings),
                "devices": nodes,
                "seccomp": seccomp,
                "rootfsPropagation": settings.rootfs_propagation,
                "maskedPaths": list(settings.masked_paths or ()),
                # /sys is mounted so. Made read-only afterwards, it would be bound on itself, and crun then leaves what
                # is mounted below, the control groups, writable.
                "readonlyPaths": [p for p in settings.readonly_paths or () if p != SYS],
            }
        ),
    }


def namespaces(settings: Settings) -> list[dict[str, str]]:
    """The namespaces that the container does not share, in LinuxKit's order."""
    out: list[dict[str, str]] = []
    # The value when nothing is given, and the words besides `new` that ask for a fresh one.
    rules = (
        ("network", settings.net, "root", ("none", "new")),
        ("ipc", settings.ipc, "root", ("new",)),
        ("uts", settings.uts, "root", ("new",)),
        ("pid", settings.pid, "new", ("new",)),
        ("user", settings.userns, "root", ("new",)),
        ("cgroup", settings.cgroupns, "root", ("new",)),
    )
    for kind, given, default, fresh in rules:
        value = given or default
        if value in fresh:
            out.append({"type": kind})
        elif value not in ("root", "host"):
            out.append({"type": kind, "path": value})
    return [*out, {"type": "mount"}]


def _devices(devices: Sequence[Device]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Device nodes, and the rules that allow their use."""
    nodes, rules = [], []
    for device in devices:
        if device.path == "all":
            rules.append({"allow": True, "type": device.type, "access": "rwm"})
            continue
        number: dict[str, Any] = {"major": device.major, "minor": device.minor}
        mode = int((device.mode or "0").replace("o", ""), 8)
        nodes.append({"path": device.path, "type": device.type, **number, "fileMode": mode})
        rules.append({"allow": True, "type": device.type, **number, "access": "rwm"})
    return nodes, rules


def plain(value: object) -> Any:
    """Records of the model as the specification's JSON: fields in order, what is not given or an empty list left out.

    Numbers and switches stay even when they are 0 or false: `containerID: 0` means something.
    """
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: plain(value[k]) for k in sorted(value)}
    if is_dataclass(value) and not isinstance(value, type):
        found = ((SPELLED.get(f.name) or f.metadata.get("key", f.name), getattr(value, f.name)) for f in fields(value))
        return {k: plain(v) for k, v in found if v is not None and v != () and not isinstance(v, Origin)}
    return value
