"""The folder of one container: LinuxKit's bundle, and inside it the one that finback's own init runs.

Source: compat 2.6 and 2.7; docs/decisions/0005-two-bundles.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finback.assemble import mount_point
from finback.assemble import runtime as actions
from finback.assemble.mount_point import MountPoint
from finback.assemble.oci_config import config, encode
from finback.assemble.prepare import prepare
from finback.assemble.root_image import below
from finback.resolve.plan import Container
from finback.tree.content import Inline
from finback.tree.entry import AnyEntry, Directory, File


def bundle(
    container: Container,
    image: str,
    volumes: Mapping[str, str],
    epoch: int,
    seccomp: Mapping[str, object] | None = None,
    points: Sequence[MountPoint] = (),
) -> tuple[AnyEntry, ...]:
    """The entries of the bundle: *image* is the absolute path of its tree in the machine, *seccomp* the profile."""
    folder = container.directory
    around = actions.runtime(container, image, volumes)
    ours = {**around, "mounts": mount_point.layered(around["mounts"], container, image)} if points else around
    hooks: dict[str, list[dict[str, object]]] = {}
    if actions.needs_attaching(around):
        hooks["createRuntime"] = [_hook("attach", f"/{folder}")]
    if container.section == "services":
        hooks["poststart"] = [_hook("started", container.id)]
    texts = {
        "config.json": encode(config(container, volumes, seccomp=seccomp)),
        "runtime.json": encode(around),
        "prepare": prepare(container, ours, points).encode("utf-8", "surrogateescape"),
        # What starts it is exempt from being killed when memory is used up; the container is not.
        "bundle/config.json": encode(config(container, volumes, f"/{folder}/rootfs", hooks, seccomp, oom_score_adj=0)),
    }
    folders = ["bundle", "rootfs"] + ([] if container.settings.readonly else ["tmp"])
    inside: list[AnyEntry] = [Directory(path=f, mtime=epoch) for f in folders]
    inside += [File(path=p, content=Inline(t), mtime=epoch) for p, t in texts.items()]
    return tuple(below(folder, sorted(inside, key=lambda e: e.path.split("/")), epoch))


def _hook(name: str, argument: str) -> dict[str, object]:
    return {"path": f"/usr/lib/finback/{name}", "args": [name, argument]}
