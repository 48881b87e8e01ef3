"""What the guest does around a container: `runtime.json`, with the mounts that make the container's root in front.

Source: compat 1.8, 2.7 and 2.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from finback.resolve.plan import Container
from finback.spec.model import BindNS, Interface, Mount, Runtime

ROOT_SIZE = "25%"
"""How much of the machine's memory a container's changes to its root may take."""


def root_mounts(container: Container, image: str) -> list[dict[str, Any]]:
    """The mounts that make the container's root from the image at *image*, an absolute path."""
    bundle = "/" + container.directory
    root = f"{bundle}/rootfs"
    if container.settings.readonly:
        return [{"destination": root, "type": "bind", "source": image, "options": ["bind", "ro"]}]
    scratch = f"{bundle}/tmp"
    size = container.settings.root_size or ROOT_SIZE
    layers = [f"lowerdir={image}", f"upperdir={scratch}/upper", f"workdir={scratch}/work"]
    return [
        {"destination": scratch, "type": "tmpfs", "source": "tmpfs", "options": [f"size={size}"]},
        {"destination": scratch, "options": ["remount", "private"]},
        {"destination": root, "type": "overlay", "source": "overlay", "options": layers},
    ]


def runtime(container: Container, image: str, volumes: Mapping[str, str]) -> dict[str, Any]:
    """`runtime.json` as JSON's types; every key is there."""
    own = container.settings.runtime or Runtime()
    bind_ns = own.bind_ns or BindNS()
    return {
        "cgroups": list(own.cgroups or ()),
        "mounts": [*root_mounts(container, image), *(_mount(m, volumes) for m in own.mounts or ())],
        "mkdir": list(own.mkdir or ()),
        "interfaces": [_interface(i) for i in own.interfaces or ()],
        "bindNS": {f.name: getattr(bind_ns, f.name) or "" for f in fields(BindNS) if f.name != "origin"},
        "namespace": own.namespace or "",
    }


def needs_attaching(value: Mapping[str, Any]) -> bool:
    """Whether something must be done once the container's namespaces exist."""
    return bool(value["interfaces"]) or any(value["bindNS"].values())


def is_bind(mount: Mapping[str, Any]) -> bool:
    """Whether *mount*, of a configuration or of `runtime.json`, shows what is at its source."""
    return mount.get("type") == "bind" or not {"bind", "rbind"}.isdisjoint(mount.get("options", ()))


def _mount(mount: Mount, volumes: Mapping[str, str]) -> dict[str, Any]:
    """A mount as it is given: nothing is filled in but the place of a volume."""
    source = volumes.get(mount.source or "", mount.source) if mount.type == "bind" else mount.source
    given = {"type": mount.type, "source": source, "options": list(mount.options or ())}
    return {"destination": mount.destination or "", **{k: v for k, v in given.items() if v}}


def _interface(interface: Interface) -> dict[str, Any]:
    given = {"add": interface.add, "peer": interface.peer, "createInRoot": interface.create_in_root}
    return {"name": interface.name, **{k: v for k, v in given.items() if v}}
