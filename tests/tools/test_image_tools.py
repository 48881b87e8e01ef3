"""Images as skopeo, umoci, buildah and podman write them, in all forms that they have, are read with the same tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.image_files import Layout, as_json

from finback.codec import tar
from finback.codec.compress import compress
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import files, image, local_image
from finback.oci.flatten import entries
from finback.oci.image import LAYER
from finback.oci.manifest import INDEX, MANIFEST
from finback.tree.content import Inline, read_inline
from finback.tree.entry import AnyEntry, Directory, File, HardLink, Symlink

pytestmark = pytest.mark.tools

LAYERS: tuple[tuple[AnyEntry, ...], ...] = (
    (
        Directory(path="bin"), Directory(path="etc"), File(path="bin/sh", mode=0o755, content=Inline(b"#!/program\n")),
        File(path="etc/gone", content=Inline(b"x")), Directory(path="var"), File(path="var/old", content=Inline(b"y")),
    ),
    (
        File(path="etc/.wh.gone", content=Inline(b"")), File(path="var/.wh..wh..opq", content=Inline(b"")),
        Symlink(path="etc/link", target="/bin/sh"), HardLink(path="bin/ash", target="bin/sh"),
    ),
)  # fmt: skip
TREE = ["bin", "bin/ash", "bin/sh", "etc", "etc/link", "var"]
CONFIG = {"Cmd": ["sh"], "Env": ["A=1"], "WorkingDir": "/etc", "StopSignal": "SIGRTMIN+3", "User": "1"}


def put(layout: Layout, architecture: str = "amd64") -> dict[str, Any]:
    """The image; its descriptor."""
    plain = [b"".join(bytes(c) for c in tar.encode(part, read_inline)) for part in LAYERS]
    packed = [b"".join(compress([data], "gzip")) for data in plain]
    config = {
        "os": "linux", "architecture": architecture, "config": CONFIG, "created": "2020-01-01T00:00:00Z",
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(data)) for data in plain]},
    }  # fmt: skip
    body = {
        "schemaVersion": 2, "mediaType": MANIFEST, "config": layout.put(as_json(config), image.CONFIG),
        "layers": [layout.put(data, f"{LAYER}+gzip") for data in packed],
    }  # fmt: skip
    return layout.put(as_json(body), MANIFEST, platform={"os": "linux", "architecture": architecture})


@dataclass
class Bench:
    """A folder, with the image to copy as a layout, and storage of Podman's and Buildah's own."""

    folder: Path
    run_folder: Path

    @property
    def source(self) -> str:
        return f"oci:{self.folder}/source:one"

    def run(self, *words: str) -> str:
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def skopeo(self, *words: str) -> None:
        self.run("skopeo", "--insecure-policy", "copy", "-q", *words)

    def stored(self, program: str, *words: str) -> str:
        storage = ("--root", f"{self.folder}/storage", "--runroot", str(self.run_folder), "--storage-driver", "vfs")
        return self.run(program, *storage, *words)

    def podman(self, *words: str) -> str:
        return self.stored("podman", *words)

    def loaded(self) -> str:
        """The image in Podman's storage, under two names."""
        if not (self.folder / "loaded").exists():
            self.skopeo(self.source, "docker-archive:loaded:example.test/app:one")
            self.podman("load", "-q", "-i", "loaded")
            self.podman("tag", "example.test/app:one", "example.test/app:two")
        return "example.test/app:one"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("tools")
    layout = Layout()
    layout.named("one", put(layout))
    both = as_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [put(layout, "arm64"), put(layout)]})
    layout.named("both", layout.put(both, INDEX))
    layout.write(folder / "source")
    (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    # Podman takes no folder for this whose path has more than 50 characters.
    with tempfile.TemporaryDirectory(prefix="run", dir="/tmp") as short:
        yield Bench(folder, Path(short))


def taken(bench: Bench, store: Store, place: str, name: str = "", architecture: str = "amd64") -> Digest:
    """The image at *place*, which has the right tree and configuration."""
    with files.opened(bench.folder / place, store) as found:
        digest = local_image.take(found, name, Platform.parse(architecture), store)
    assert [e.path for e in entries(store, digest)] == TREE
    links = {e.path: e.target for e in entries(store, digest) if isinstance(e, (Symlink, HardLink))}
    assert links == {"etc/link": "/bin/sh", "bin/sh": "bin/ash"}
    config = image.load(store, digest).config
    assert config["architecture"] == architecture
    # Docker's own format leaves the signal out in some versions of Buildah.
    assert {k: v for k, v in config["config"].items() if k in CONFIG} == CONFIG
    return digest


def works(name: str) -> bool:
    """Whether a tool is here; Podman and Buildah need a user namespace where they are not root."""
    if shutil.which(name) is None:
        return False
    if os.geteuid() == 0 or name in ("skopeo", "umoci"):
        return True
    return subprocess.run([name, "unshare", "true"], capture_output=True, check=False).returncode == 0


needs = {n: pytest.mark.skipif(not works(n), reason=f"needs {n}") for n in ("skopeo", "umoci", "buildah", "podman")}


@needs["skopeo"]
@pytest.mark.parametrize(
    ("options", "target", "name"),
    [
        ((), "oci:{}:tag", "tag"), ((), "oci:{}", ""), ((), "oci:{}:example.test/app:1", "example.test/app:1"),
        ((), "oci-archive:{}:tag", "tag"), ((), "oci-archive:{}", ""),
        (("--dest-compress-format", "zstd"), "oci:{}:tag", "tag"),
        (("--dest-compress-format", "zstd"), "oci-archive:{}", ""),
        (("--dest-compress-format", "zstd:chunked"), "oci:{}", ""),
        (("--dest-decompress",), "dir:{}", ""), (("--dest-compress", "--dest-compress-format", "zstd"), "dir:{}", ""),
        ((), "dir:{}", ""), (("--format", "v2s2"), "dir:{}", ""), (("--format", "v2s2"), "docker-archive:{}", ""),
        ((), "docker-archive:{}:example.test/app:1", "example.test/app:1"), ((), "docker-archive:{}:app:1", "app:1"),
        ((), "docker-archive:{}", ""),
    ],
)  # fmt: skip
def test_skopeo(
    bench: Bench, store: Store, options: tuple[str, ...], target: str, name: str, request: pytest.FixtureRequest
) -> None:
    place = f"skopeo-{request.node.callspec.id}".replace(":", "-").replace("/", "-").replace("{}", "")
    bench.skopeo(*options, bench.source, target.format(place))
    assert taken(bench, store, place, name) == taken(bench, store, place)


@needs["skopeo"]
@pytest.mark.parametrize("target", ["oci:{}:tag", "oci-archive:{}:tag", "dir:{}"])
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_skopeo_with_several_platforms(bench: Bench, store: Store, target: str, architecture: str) -> None:
    place = f"skopeo-all-{architecture}-{target.partition(':')[0]}"
    bench.skopeo("--all", f"oci:{bench.folder}/source:both", target.format(place))
    taken(bench, store, place, "", architecture)


@needs["skopeo"]
def test_skopeo_adds_to_a_layout(bench: Bench, store: Store) -> None:
    for name in ("a", "b", "example.test/c:1"):
        bench.skopeo(bench.source, f"oci:skopeo-names:{name}")
    # One image under three names is still one.
    assert {taken(bench, store, "skopeo-names", n) for n in ("", "a", "b", "example.test/c:1")} != set()
    assert len({taken(bench, store, "skopeo-names", n) for n in ("", "a", "b", "example.test/c:1")}) == 1


@needs["umoci"]
def test_umoci(bench: Bench, store: Store) -> None:
    bench.run("umoci", "init", "--layout", "umoci")
    bench.run("umoci", "new", "--image", "umoci:new")
    for number, part in enumerate(LAYERS):
        (bench.folder / "layer.tar").write_bytes(b"".join(bytes(c) for c in tar.encode(part, read_inline)))
        bench.run(
            "umoci", "raw", "add-layer", "--image", "umoci:new", *(["--tag", "new"] if number else []), "layer.tar"
        )
    given = {"cmd": "sh", "env": "A=1", "workingdir": "/etc", "stopsignal": "SIGRTMIN+3", "user": "1"}
    settings = [f"--config.{key}={value}" for key, value in given.items()]
    bench.run("umoci", "config", "--image", "umoci:new", "--architecture=amd64", "--os=linux", "--clear=config.env",
              *settings)  # fmt: skip
    bench.run("umoci", "tag", "--image", "umoci:new", "again")
    assert taken(bench, store, "umoci", "new") == taken(bench, store, "umoci", "again") == taken(bench, store, "umoci")


@needs["umoci"]
def test_an_image_of_umoci_without_layers(bench: Bench, store: Store) -> None:
    bench.run("umoci", "init", "--layout", "empty")
    bench.run("umoci", "new", "--image", "empty:new")
    bench.run("umoci", "config", "--image", "empty:new", "--architecture=amd64", "--os=linux")
    with files.opened(bench.folder / "empty", store) as found:
        assert entries(store, local_image.take(found, "", Platform(), store)) == []


@needs["podman"]
@pytest.mark.parametrize(
    ("options", "place"),
    [
        (("--format", "oci-archive"), "oci"), (("--format", "oci-dir"), "oci-dir"), (("--uncompressed",), "plain"),
        (("--format", "docker-archive"), "docker"), (("--format", "docker-dir"), "docker-dir"),
        (("--format", "docker-dir", "--compress"), "docker-dir-packed"),
    ],
)  # fmt: skip
def test_podman_save(bench: Bench, store: Store, options: tuple[str, ...], place: str) -> None:
    name = bench.loaded()
    place = f"podman-{place}"
    bench.podman("save", "-q", *options, "-o", place, name)
    taken(bench, store, place)
    if "-dir" not in place or "oci-dir" in place:
        taken(bench, store, place, name)


@needs["podman"]
def test_podman_saves_several_images_and_several_names(bench: Bench, store: Store) -> None:
    name = bench.loaded()
    bench.podman("save", "-q", "-m", "-o", "podman-many", name, "example.test/app:two")
    assert taken(bench, store, "podman-many", name) == taken(bench, store, "podman-many", "example.test/app:two")
    taken(bench, store, "podman-many")
    identifier = bench.podman("inspect", "--format", "{{.Id}}", name)
    bench.podman("save", "-q", "-o", "podman-id", identifier)
    taken(bench, store, "podman-id", f"sha256:{identifier}")


@needs["podman"]
def test_what_podman_builds_has_the_registry_localhost(bench: Bench, store: Store) -> None:
    bench.podman("tag", bench.loaded(), "localhost/mine")
    for form in ("oci-archive", "docker-archive"):
        bench.podman("save", "-q", "--format", form, "-o", f"podman-{form}-mine", "localhost/mine")
        for name in ("mine", "localhost/mine:latest"):
            taken(bench, store, f"podman-{form}-mine", name)


@needs["buildah"]
@pytest.mark.parametrize("target", ["oci", "oci-archive", "docker-archive", "dir"])
@pytest.mark.parametrize("form", ["oci", "v2s2"])
def test_buildah_push(bench: Bench, store: Store, target: str, form: str) -> None:
    place = f"buildah-{target}-{form}"
    name = "" if target == "dir" else ":example.test/built:1"
    options = () if target == "docker-archive" else ("--format", form)
    policy = ("--signature-policy", f"{bench.folder}/policy.json")
    bench.stored("buildah", "push", "-q", *policy, *options, bench.loaded(), f"{target}:{bench.folder}/{place}{name}")
    taken(bench, store, place, name[1:])


@needs["buildah"]
def test_buildah_commits_a_squashed_image(bench: Bench, store: Store) -> None:
    policy = ("--signature-policy", f"{bench.folder}/policy.json")
    working = bench.stored("buildah", "from", "-q", *policy, "--pull-never", bench.loaded())
    bench.stored(
        "buildah", "commit", "-q", *policy, "--squash", working, f"oci-archive:{bench.folder}/buildah-squashed"
    )
    with files.opened(bench.folder / "buildah-squashed", store) as found:
        digest = local_image.take(found, "", Platform(), store)
    assert [e.path for e in entries(store, digest)] == TREE
