"""A volume of format oci: what others read from it is the image."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from finback.assemble import image_layout
from finback.codec import tar
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import image
from finback.tree.content import Inline, read_inline
from finback.tree.entry import AnyEntry, Directory, File


def made(store: Store) -> Digest:
    with store.ingest() as ingest:
        for chunk in tar.encode([File(path="etc/a", content=Inline(b"x" * 9))], read_inline):
            ingest.write(chunk)
    return image.write(store, [ingest.digest], {"os": "linux", "architecture": "amd64"})


def laid_down(entries: list[AnyEntry], store: Store, place: Path) -> None:
    for entry in entries:
        path = place / entry.path
        if isinstance(entry, Directory):
            path.mkdir(parents=True)
        else:
            assert isinstance(entry, File)
            path.write_bytes(b"".join(bytes(c) for c in store.chunks(entry.content)))


@pytest.mark.parametrize(("name", "called"), [("docker.io/finback/a", "finback/a:latest"), ("r.example/a:2",) * 2])
def test_it_is_a_layout_and_what_docker_saves(name: str, called: str, store: Store, tmp_path: Path) -> None:
    digest = made(store)
    (tmp_path / "v").mkdir()
    laid_down(image_layout.entries(store, digest, name, 7), store, tmp_path / "v")
    index = json.loads((tmp_path / "v/index.json").read_text())
    assert index["manifests"][0]["digest"] == str(digest)
    assert set(index["manifests"][0]["annotations"].values()) == {called}
    (saved,) = json.loads((tmp_path / "v/manifest.json").read_text())
    assert saved["RepoTags"] == [called]
    for path in (saved["Config"], *saved["Layers"], f"blobs/sha256/{digest.encoded}"):
        assert Digest.of((tmp_path / "v" / path).read_bytes()).encoded == path.rsplit("/", 1)[1]


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("skopeo"), reason="no skopeo")
def test_skopeo_reads_it_both_ways(store: Store, tmp_path: Path) -> None:
    digest = made(store)
    (tmp_path / "v").mkdir()
    laid_down(image_layout.entries(store, digest, "docker.io/finback/a", 7), store, tmp_path / "v")
    subprocess.run(["tar", "-C", tmp_path / "v", "-cf", tmp_path / "v.tar", "."], check=True)
    for source in (f"oci:{tmp_path / 'v'}", f"docker-archive:{tmp_path / 'v.tar'}"):
        done = subprocess.run(["skopeo", "inspect", source], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["Architecture"] == "amd64"
