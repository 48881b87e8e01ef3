"""Mount points that read-only roots lack."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.image_files import Layout, as_json

from finback.assemble import mount_point
from finback.assemble.mount_point import MountPoint
from finback.assemble.prepare import prepare
from finback.assemble.runtime import runtime
from finback.ground.digest import Digest
from finback.ground.source import Source
from finback.host.store import Store
from finback.oci.image import CONFIG, LAYER
from finback.oci.manifest import MANIFEST
from finback.resolve.plan import Container, ImagePin
from finback.spec.load import load_spec

CONTAINER = Path(__file__).resolve().parents[3] / "components/init/rootfs/usr/lib/finback/container"


def stored(store: Store) -> Digest:
    """An image with folders, files and links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, link in (
            ("srv/", ""), ("etc/app.conf", ""), ("var/run", "/run"), ("opt/here", "../srv"), ("away", "/not/there"),
        ):  # fmt: skip
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.type = tarfile.SYMTYPE if link else tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            entry.linkname = link
            archive.addfile(entry)
    made = Layout()
    layer = made.put(out.getvalue(), LAYER)
    about = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
    config = made.put(as_json(about), CONFIG)
    body = as_json({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]})
    for data in (out.getvalue(), as_json(about)):
        store.put(data)
    return store.put(body)


def container(given: str) -> Container:
    """The container whose lines are *given*."""
    spec = load_spec(Source("t.yml", f"services: [{{name: a, image: b, {given}}}]\nvolumes: [{{name: v}}]"))
    assert spec.services
    return Container(
        section="services", index=0, name="a", image=ImagePin(reference="b"), settings=spec.services[0], secrets=()
    )


@pytest.mark.parametrize(
    ("given", "lacking"),
    [
        ("readonly: true", []),
        ("binds: ['/x:/data']", []),
        ("readonly: true, binds: ['/x:/data']", [("/data", "/x")]),
        ("readonly: true, binds: ['/x:/srv', '/y:/srv/deep/er']", []),
        ("readonly: true, binds: ['/y:/srv/deep/er']", [("/srv/deep/er", "/y")]),
        ("readonly: true, binds: ['/x:/etc/app.conf:ro', '/x:/etc/hosts', '/y:/etc/resolv.conf', '/z:/etc/z']",
         [("/etc/z", "/z")]),
        ("readonly: true, binds: ['/x:/var/run/x.sock', '/y:/opt/here/y', '/z:/away']",
         [("/not/there", "/z"), ("/run/x.sock", "/x"), ("/srv/y", "/y")]),
        ("readonly: true, binds: ['/dev/kmsg:/dev/kmsg', '/p:/proc/p', '/x:/etc/mtab']", []),
        ("readonly: true, tmpfs: [/run], binds: ['/x:/run/secrets', '/y:/var/run/y']", [("/run", "")]),
        ("readonly: true, mounts: [{type: tmpfs, destination: scratch}, {type: bind, source: /b, destination: /to}]",
         [("/scratch", ""), ("/to", "/b")]),
        ("readonly: true, cwd: /home/app", [("/home/app", "")]),
        ("readonly: true, cwd: /srv", []),
        ("readonly: true, runtime: {mkdir: [made/inside, /var/outside]}", [("/made/inside", "")]),
        ("readonly: true, runtime: {mounts: [{type: tmpfs, source: tmpfs, destination: m}], mkdir: [m/n]}",
         [("/m", "")]),
    ],
)  # fmt: skip
def test_what_a_read_only_root_lacks(given: str, lacking: list[tuple[str, str]], store: Store) -> None:
    found = mount_point.missing(container(given), stored(store), {}, store)
    assert [(p.path, p.source) for p in found] == lacking
    # The second time it is remembered.
    assert mount_point.missing(container(given), stored(store), {}, store) == found


def test_the_source_of_a_volume_is_where_it_is(store: Store) -> None:
    made = container("readonly: true, binds: ['v:/data']")
    found = mount_point.missing(made, stored(store), {"v": "/containers/volumes/v/merged"}, store)
    assert found == (MountPoint("/data", "/containers/volumes/v/merged"),)


def test_the_root_gets_the_mount_points_below_its_image() -> None:
    made = container("readonly: true, binds: ['/x:/data']")
    value = runtime(made, "/images/i", {})
    assert "make_points" not in prepare(made, value)
    layered = {**value, "mounts": mount_point.layered(value["mounts"], made, "/images/i")}
    lines = prepare(made, layered, [MountPoint("/data", "/x")]).split("\n")
    folder = mount_point.folder(made)
    assert f"\tmake_points {folder} /x /data &&" in lines
    root = f"/{made.directory}/rootfs"
    assert f"\tmount -t overlay -o ro,lowerdir=/images/i:{folder} overlay {root}" in lines
    assert f"\tumount -l {root}" in lines


def test_mount_points_are_folders_or_files_as_what_is_bound(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    script = CONTAINER.read_text().partition("make_points() {")[2].partition("\n}\n")[0]
    words = [
        "p",
        f"{tmp_path}/folder",
        "/a/b",
        f"{tmp_path}/file",
        "/c",
        f"{tmp_path}/file",
        "/d/e",
        "",
        "/f",
        "no",
        "/g",
    ]

    def made(*words: str) -> list[str]:
        text = f'make_points() {{{script}\n}}\nmake_points "$@"'
        subprocess.run(["sh", "-c", text, "sh", *words], cwd=tmp_path, check=True, timeout=10)
        return sorted(f"{p.relative_to(tmp_path)}{'/' if p.is_dir() else ''}" for p in (tmp_path / "p").rglob("*"))

    assert made(*words) == ["p/a/", "p/a/b/", "p/c", "p/d/", "p/d/e", "p/f/", "p/g/"]
    # What was a folder is a file at the next start.
    assert made("p", f"{tmp_path}/file", "/a/b") == ["p/a/", "p/a/b"]
