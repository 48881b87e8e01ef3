"""`runtime.json` compiled to a shell fragment for finback's own init, which then parses no JSON.

Forking is the expensive part of a boot, so the fragment starts few programs. It is POSIX sh for busybox's programs
and defines three functions:
prepare, before the container is created; attach PID, when its namespaces exist; cleanup, once it is gone. How it is
supervised stands before them (`supervise`).

Source: compat 1.8; mount(8).
"""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from finback.assemble import mount_point, supervise
from finback.assemble.mount_point import MountPoint
from finback.assemble.oci_config import SELF_NAMED
from finback.assemble.runtime import is_bind
from finback.resolve.plan import Container
from finback.spec.model import IDMapping

NAMESPACE = "services.linuxkit"
CGROUPS = "/sys/fs/cgroup"
# Where containers' own copies of secrets are: finback.resolve.sections.secrets binds them.
SECRETS = "/run/finback/secrets"
PROPAGATION = frozenset(prefix + kind for prefix in ("", "r") for kind in ("private", "shared", "slave", "unbindable"))
# A veth pair is made under a name that nothing has: the kernel names the other end veth0, veth1, ... meanwhile, and
# busybox can't name it.
PAIR = "finback-pair"
PEER = """\
# name_peer LINK NAME: give the other end of a new pair its name
name_peer() {
\tread -r index <"/sys/class/net/$1/iflink"
\tfor link in /sys/class/net/*; do
\t\tread -r candidate <"$link/ifindex" && [ "$candidate" = "$index" ] || continue
\t\tip link set "${link##*/}" name "$2"
\t\treturn
\tdone
\treturn 1
}"""


def prepare(container: Container, value: Mapping[str, Any], points: Sequence[MountPoint] = ()) -> str:
    """The fragment for the container's `runtime.json` *value*; *points* are the mount points that its root lacks."""
    bundle = "/" + container.directory
    root = f"{bundle}/rootfs"
    steps = [_command("make_points", mount_point.folder(container), *_pairs(points))] if points else []
    steps += _mount_steps(value["mounts"], root)
    made = [_inside(d, root) for d in value["mkdir"]] + [f"{CGROUPS}/{c.strip('/')}" for c in value["cgroups"]]
    if made:
        steps.append(_command("mkdir", "-p", *made))
    steps += _secret_steps(container)
    attach = _attach_steps(value)
    lines = [
        f"name={shlex.quote(container.id)}",
        f"namespace={shlex.quote(value['namespace'] or NAMESPACE)}",
        *supervise.variables(container),
        *([PEER] if any(s.startswith("name_peer ") for s in attach) else []),
        *_function("prepare", steps, " &&"),
        *_function("attach", attach, " &&"),
        *_function("cleanup", _cleanup_steps(container, value, root), ""),
    ]
    return "\n".join(lines) + "\n"


def _function(name: str, steps: list[str], joint: str) -> list[str]:
    body = [f"\t{s}{joint}" for s in steps[:-1]] + [f"\t{s}" for s in steps[-1:]]
    return [f"{name}() {{", *(body or ["\t:"]), "}"]


def _pairs(points: Sequence[MountPoint]) -> list[str]:
    return [word for point in points for word in (point.source, point.path)]


def _mount_steps(mounts: list[Mapping[str, Any]], root: str) -> list[str]:
    steps: list[str] = []
    for mount in mounts:
        options = list(mount.get("options", ()))
        destination = _inside(mount["destination"], root)
        made = []
        if not _remounts(mount):
            # The image brings these two.
            made = [destination] if destination not in (root, posixpath.dirname(root) + "/tmp") else []
            made += [o.split("=", 1)[1] for o in options if o.startswith(("upperdir=", "workdir="))]
        if made:
            steps.append(_command("mkdir", "-p", *made))
        steps += _mounting(mount, options, destination)
    return steps


def _remounts(mount: Mapping[str, Any]) -> bool:
    return "remount" in mount.get("options", ())


def _mounting(mount: Mapping[str, Any], options: list[str], destination: str) -> list[str]:
    rest = [o for o in options if o not in PROPAGATION and o not in ("remount", "bind", "rbind")]
    source = mount.get("source", "")
    if _remounts(mount):
        kept = [o for o in options if o in ("remount", "bind")]
        steps = [_command("mount", "-o", ",".join([*kept, *rest]), destination)] if rest else []
    elif is_bind(mount):
        steps = [_command("mount", "--rbind" if "rbind" in options else "--bind", source, destination)]
        # A bind takes its flags only when it is mounted anew.
        if any(o != "rw" for o in rest):
            steps.append(_command("mount", "-o", ",".join(["remount", "bind", *rest]), destination))
    else:
        kind = mount.get("type") or (source if source in SELF_NAMED else "tmpfs")
        choice = ["-o", ",".join(rest)] if rest else []
        steps = [_command("mount", "-t", kind, *choice, source or kind, destination)]
    return steps + [_command("mount", f"--make-{o}", destination) for o in options if o in PROPAGATION]


def _cleanup_steps(container: Container, value: Mapping[str, Any], root: str) -> list[str]:
    """Undo prepare and, for a service, which may start again, attach.

    What a step mounted outside its bundle stays, as with LinuxKit: steps prepare the machine for what follows.
    """
    service = container.section == "services"
    bundle = posixpath.dirname(root)
    gone: list[str] = []
    private: list[str] = []
    for mount in value["mounts"]:
        destination = _inside(mount["destination"], root)
        if not _remounts(mount) and (service or destination.startswith(bundle + "/")):
            gone.insert(0, destination)
            if "rbind" in mount.get("options", ()):
                # Or what is mounted below the source would go with its copy.
                private.append(_command("mount", "--make-rprivate", destination))
    if service:
        gone += [p for p in value["bindNS"].values() if p]
    return [*private, _command("umount", "-l", *gone)] if gone else []


def _secret_steps(container: Container) -> list[str]:
    """The container's own copies of its secrets, for its own user."""
    settings = container.settings
    if not container.secrets:
        return []
    ids = [
        _outside(int(number or 0), mappings if settings.userns == "new" else None)
        for number, mappings in ((settings.uid, settings.uid_mappings), (settings.gid, settings.gid_mappings))
    ]
    folder = f"{SECRETS}/{container.name}"
    steps = [_command("mkdir", "-p", folder)]
    for use in container.secrets:
        words = _command("give_secret", use.name, folder, ":".join(map(str, ids)), f"{use.mode:04o}")
        steps.append(f"{{ ! have_secret {shlex.quote(use.name)} || {words}; }}" if use.optional else words)
    return steps


def _outside(number: int, mappings: tuple[IDMapping, ...] | None) -> int:
    """What an id of a user namespace is in the machine."""
    for mapping in mappings or ():
        if mapping.container_id <= number < mapping.container_id + mapping.size:
            return mapping.host_id + number - mapping.container_id
    return number


def _attach_steps(value: Mapping[str, Any]) -> list[str]:
    steps: list[str] = []
    for interface in value["interfaces"]:
        name, peer = interface["name"], interface.get("peer", "")
        kind = interface.get("add", "") or ("veth" if peer else "")
        if kind == "veth":
            steps.append(_command("ip", "link", "add", PAIR, "type", "veth"))
            if peer:
                steps.append(_command("name_peer", PAIR, peer))
            steps.append(_command("ip", "link", "set", PAIR, "name", name))
        elif kind and interface.get("createInRoot"):
            steps.append(_command("ip", "link", "add", name, "type", kind))
        elif kind:
            steps.append('nsenter -t "$1" -n ' + _command("busybox", "ip", "link", "add", name, "type", kind))
            continue
        steps.append(f'ip link set {shlex.quote(name)} netns "$1"')
    binds = {kind: path for kind, path in value["bindNS"].items() if path}
    if binds:
        steps.append(_command("mkdir", "-p", *dict.fromkeys(posixpath.dirname(p) for p in binds.values())))
        # Not `:`, whose failure would end the shell.
        steps += [f"true >{shlex.quote(p)}" for p in binds.values()]
        steps += [f'mount --bind "/proc/$1/ns/{kind}" {shlex.quote(path)}' for kind, path in binds.items()]
    return steps


def _inside(path: str, root: str) -> str:
    return path if path.startswith("/") else f"{root}/{path}"


def _command(*words: str) -> str:
    return " ".join(shlex.quote(w) for w in words)
