"""Images that other tools make, in every form: each runs its own program in a machine, as it does in Docker."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.boot.test_guest import report
from tests.image_files import Layout, as_json, packed_files

from finback.codec import tar
from finback.codec.compress import compress
from finback.ground.digest import Digest
from finback.oci import image
from finback.oci.image import LAYER
from finback.oci.manifest import DOCKER_MANIFEST, INDEX, MANIFEST
from finback.tree.content import Inline, read_inline
from finback.tree.entry import AnyEntry, Directory, File, HardLink, Symlink

BUSYBOX = Path("/usr/bin/busybox") if Path("/usr/bin/busybox").exists() else Path("/bin/busybox")

pytestmark = [
    pytest.mark.boot,
    pytest.mark.archive,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU"),
    pytest.mark.skipif(not BUSYBOX.exists() or os.uname().machine != "x86_64", reason="no busybox for amd64"),
]

Tree = Sequence[AnyEntry]
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"


def text(path: str, content: str = "", mode: int = 0o644) -> File:
    return File(path=path, mode=mode, content=Inline(content.encode()))


def program(path: str = "bin/busybox") -> File:
    return File(path=path, mode=0o755, content=Inline(BUSYBOX.read_bytes()))


def archive(entries: Tree) -> bytes:
    return b"".join(bytes(c) for c in tar.encode(list(entries), read_inline))


BASE: Tree = (
    Directory(path="bin"), program(),
    *(Symlink(path=f"bin/{n}", target="busybox") for n in ("sh", "id", "test", "cat", "pwd", "echo", "sleep")),
)  # fmt: skip


def run(script: str) -> dict[str, Any]:
    """A configuration whose shell runs *script*, found by PATH."""
    return {"Cmd": ["sh", "-c", script]}


class Images(Layout):
    """The layout of all forms, each under its name."""

    def form(
        self, name: str, config: Any, *layers: Tree | bytes, packing: str = "gzip", media_type: str = "",
        manifest_type: str = MANIFEST, config_type: str = image.CONFIG, about: dict[str, Any] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Add an image of these layers, the base where there are none; its descriptor without a platform."""
        plain = [part if isinstance(part, bytes) else archive(part) for part in layers or (BASE,)]
        packed = [b"".join(compress([data], packing)) for data in plain]
        kind = media_type or (LAYER if packing == "none" else f"{LAYER}+{packing}")
        whole = {
            "os": "linux", "architecture": "amd64", "config": config, "created": "2020-01-01T00:00:00Z",
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(data)) for data in plain]}, **(about or {}),
        }  # fmt: skip
        body = {
            "schemaVersion": 2, "mediaType": manifest_type, "config": self.put(as_json(whole), config_type),
            "layers": [self.put(data, kind) for data in packed],
        }  # fmt: skip
        made = self.put(as_json(body), manifest_type)
        self.named(name, made)
        return made


def programs(images: Images) -> None:
    """What is said of the program."""
    images.form("no-path", {**run("echo form no-path $PATH"), "Env": None})
    images.form("own-path", {"Cmd": ["tool", "sh", "-c", "echo form own-path"], "Env": ["PATH=/opt/tools"]}, (
        *BASE, Directory(path="opt"), Directory(path="opt/tools"),
        text("opt/tools/tool", "#!/bin/sh\nexec /bin/busybox \"$@\"\n", 0o755)))  # fmt: skip
    images.form("shell-entrypoint", {"Entrypoint": ["/bin/sh", "-c", "echo form shell-entrypoint $0"], "Cmd": ["zero"]})
    images.form(
        "text-command", {"Entrypoint": "/run-me"}, (*BASE, text("run-me", "#!/bin/sh\necho form text-command\n", 0o755))
    )
    images.form("empty-command", {"Entrypoint": ["/bin/echo", "form", "empty-command"], "Cmd": []})
    app = (*BASE, Directory(path="app"), Directory(path="app/bin"))
    script = text("app/bin/run", "#!/bin/sh\necho form $1 in $(pwd)\n", 0o755)
    images.form("relative", {"Entrypoint": ["./bin/run", "relative"], "WorkingDir": "/app"}, (*app, script))
    images.form("relative-bare", {"Entrypoint": ["bin/run", "relative-bare"], "WorkingDir": "app"}, (*app, script))
    images.form("no-folder", {**run("echo form no-folder in $(pwd)"), "WorkingDir": ""})
    images.form("absent-folder", {**run("echo form absent-folder in $(pwd)"), "WorkingDir": "/srv/made/here"})


def users(images: Images) -> None:
    """Who it runs as."""
    images.form("numbers", {**run("echo form numbers $(id -u):$(id -g)"), "User": "1234:77"})
    tables = (Directory(path="etc"), text("etc/passwd", "root:x:0:0::/:\napp:x:500:501::/:\n"),
              text("etc/group", "app:x:501:\nmore:x:77:app\n"))  # fmt: skip
    images.form("names", {**run("echo form names $(id -u):$(id -g):$(id -G)"), "User": "app"}, (*BASE, *tables))
    images.form("group", {**run("echo form group $(id -u):$(id -g)"), "User": "app:more"}, (*BASE, *tables))


def trees(images: Images) -> None:
    """What layers hold."""
    images.form("scratch", {"Entrypoint": ["/busybox", "echo", "form", "scratch"]}, (program("busybox"),))
    usr = (Directory(path="usr"), Directory(path="usr/bin"), Symlink(path="bin", target="/usr/bin"),
           program("usr/bin/busybox"), Symlink(path="usr/bin/sh", target="/bin/busybox"))  # fmt: skip
    images.form("absolute-links", run("echo form absolute-links"), usr)
    added = (text("bin/late", "#!/bin/sh\necho form through-link\n", 0o755),)
    images.form("through-link", {"Cmd": ["late"]}, usr, added)
    old = (*BASE, Directory(path="d"), text("d/old"), text("gone"), text("kept", "kept"))
    hiding = [text(path) for path in (".wh.gone", "d/.wh..wh..opq", "d/new", ".wh..wh.plnk", ".wh..wh.aufs")]
    images.form("whiteouts", run("echo form whiteouts $(echo /d/* /gon[e] /kep[t] /.wh*)"), old, hiding)
    images.form("hard-links", run("cat /a; echo x >/b 2>/dev/null; cat /a"), (*BASE, text("a", "form hard-links\n")), (
        HardLink(path="b", target="a"),), (text(".wh.nothing"),))  # fmt: skip
    images.form("odd-layers", run("echo form odd-layers"), BASE, bytes(1024), b"", BASE)
    images.form("docker-files", run("echo form docker-files"), (
        *BASE, text(".dockerenv"), Directory(path="dev"), text("dev/console"), Directory(path="proc"), text("proc/x"),
        Directory(path="etc"), text("etc/hosts"), Symlink(path="etc/mtab", target="/proc/mounts")))  # fmt: skip


def types(images: Images) -> None:
    """How it is packed and described."""
    for packing in ("none", "zstd"):
        images.form(f"packed-{packing}", run(f"echo form packed-{packing}"), packing=packing)
    images.form("docker-types", run("echo form docker-types"), media_type=DOCKER_LAYER, manifest_type=DOCKER_MANIFEST,
                config_type=DOCKER_CONFIG)  # fmt: skip
    images.form("wrong-type", run("echo form wrong-type"), packing="none", media_type=f"{LAYER}+zstd")
    images.form("foreign-layer", run("echo form foreign-layer"),
                media_type="application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")  # fmt: skip
    images.form("little", run("echo form little"), about={"os": None, "architecture": None, "created": None})
    inside = images.form("inside", run("echo form inside"))
    note = {**inside, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    unknown = {**inside, "platform": {"os": "unknown", "architecture": "unknown"}}
    inner = images.put(as_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [note, unknown, inside]}), INDEX)
    images.named("nested", images.put(as_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}), INDEX))


def archives(folder: Path) -> None:
    """Archives of crane and of an old Docker, beside the layout."""
    plain = archive(BASE)
    config = as_json({"os": "linux", "architecture": "amd64", "config": run("echo form of-crane"),
                      "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(plain))]}})  # fmt: skip
    name = str(Digest.of(config))
    listed = [{"Config": name, "RepoTags": ["a/b:1"], "Layers": ["l.tar.gz"]}]
    packed = packed_files({name: config, "l.tar.gz": gzip.compress(plain), "manifest.json": as_json(listed)})
    (folder / "crane.tar").write_bytes(packed)
    described = {"id": "1" * 64, "os": "linux", "architecture": "amd64", "config": run("echo form of-old-docker")}
    old = {"repositories": as_json({"a": {"latest": "1" * 64}}), f"{'1' * 64}/json": as_json(described),
           f"{'1' * 64}/layer.tar": plain}  # fmt: skip
    (folder / "old.tar").write_bytes(packed_files(old))


EXPECTED = {
    "no-path": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "own-path": "",
    "shell-entrypoint": "zero", "text-command": "", "empty-command": "", "relative": "in /app",
    "relative-bare": "in /app", "no-folder": "in /", "absent-folder": "in /srv/made/here", "numbers": "1234:77",
    "names": "500:501:501 77", "group": "500:77", "scratch": "", "absolute-links": "", "through-link": "",
    "whiteouts": "/d/new /gon[e] /kept /.wh*", "hard-links": "", "odd-layers": "", "docker-files": "",
    "packed-none": "", "packed-zstd": "", "docker-types": "", "wrong-type": "", "foreign-layer": "", "little": "",
    "inside": "", "nested": "",
}  # fmt: skip
SIGNALS = {"SIGRTMIN+3": 37, "SIGWINCH": 28, "3": 3, "sigint": 2}
RUNTIMES = {
    "crun": ("finback/init", ""),
    "runc": ("finback/init, finback/runc", " finback.runtime=runc"),
    "containerd": ("finback/init, finback/runc, finback/containerd", ""),
}


def written(folder: Path) -> None:
    """All images, in *folder*."""
    images = Images()
    for part in (programs, users, trees, types):
        part(images)
    for word, number in SIGNALS.items():
        script = f"trap 'echo got signal {number} >/dev/kmsg; exit 0' {number}; while :; do sleep 1; done"
        images.form(f"signal-{number}", {**run(script), "StopSignal": word})
    images.write(folder / "images")
    archives(folder)


def system(init: str, words: str) -> str:
    """The YAML file: a step for each form, a service for each signal, and what is asked of them."""
    lines = [f"kernel: {{image: finback/kernel, cmdline: 'console=ttyS0{words}'}}", f"init: [{init}]", "onboot:"]
    for name in EXPECTED:
        user = ", user: image" if name in ("numbers", "names", "group") else ""
        lines.append(f"  - {{name: {name}, image: 'oci-layout:images:{name}'{user}}}")
    lines.append("  - {name: of-crane, image: 'docker-archive:crane.tar'}")
    lines.append("  - {name: of-old-docker, image: 'docker-archive:old.tar:a'}")
    lines.append("services:")
    lines += [
        f"  - {{name: signal-{n}, image: 'oci-layout:images:signal-{n}', binds: ['/dev/kmsg:/dev/kmsg'], "
        "stop: {timeout: 60}}"
        for n in SIGNALS.values()
    ]
    lines += ["machine: {memory: 768}", "tests:"]
    for name, said in {**EXPECTED, "of-crane": "", "of-old-docker": ""}.items():
        shown = "inside" if name == "nested" else name
        lines.append(f"  - {{console: '{name}: form {shown}{' ' if said else ''}{said}', within: 900}}")
    lines += [f"  - {{service: {{name: signal-{n}}}, within: 900}}" for n in SIGNALS.values()]
    lines.append("  - {do: {reboot: true}, within: 900}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_images_of_other_tools_run(runtime: str, tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "foreign.yml").write_text(system(*RUNTIMES[runtime]))
    said, held = report(tmp_path, "foreign.yml")
    assert all(held.values()), said
    assert len(held) == len(EXPECTED) + 2 + len(SIGNALS) + 1
    # Each has ended by itself; what no signal reaches is killed, with status 137.
    reported = (tmp_path / "s/finback/tests/foreign/events.jsonl").read_text().splitlines()
    ended = [e for e in map(json.loads, reported) if e["name"].startswith("signal-") and e["event"] == "stopped"]
    assert {e["name"]: e["status"] for e in ended} == {f"signal-{n}": 0 for n in SIGNALS.values()}
