"""Layouts and archives as tools write them that can't be installed here: each made as its source code says.

Skopeo, umoci, Buildah and Podman themselves are in tests/tools/test_image_tools.py.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.image_files import Layout, as_json, layer, packed_files, saved

from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.oci import files, image, local_image
from finback.oci.flatten import entries
from finback.oci.image import LAYER
from finback.oci.manifest import DOCKER_MANIFEST, INDEX, MANIFEST

REF_NAME = "org.opencontainers.image.ref.name"
WHOLE_NAME = "io.containerd.image.name"


def taken(path: Path, store: Store, name: str = "", platform: str = "amd64") -> list[str]:
    """The paths in the image."""
    with files.opened(path, store) as found:
        digest = local_image.take(found, name, Platform.parse(platform), store)
    return [e.path for e in entries(store, digest)]


def refused(path: Path, store: Store, name: str = "") -> tuple[str, str]:
    """The message and the help of F182."""
    with pytest.raises(FinbackError) as failure:
        taken(path, store, name)
    (found,) = failure.value.diagnostics
    assert found.code == "F182"
    return found.message, found.help


def without_platform(descriptor: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in descriptor.items() if k != "platform"}


def named(descriptor: dict[str, Any], **annotations: str) -> dict[str, Any]:
    keys = {"whole": WHOLE_NAME, "ref": REF_NAME, "kind": "vnd.docker.reference.type"}
    return {**descriptor, "annotations": {keys[k]: v for k, v in annotations.items()}}


def test_the_same_digest_twice_is_one_image(tmp_path: Path, store: Store) -> None:
    layout = Layout()
    made = layout.image("web")
    layout.index += [made, without_platform(made), named(made, ref="one"), named(made, ref="two")]
    path = layout.write(tmp_path / "l")
    for name in ("", "one", "two", str(made["digest"])):
        assert taken(path, store, name) == ["web"]


def test_several_images_without_names_are_listed_by_digest(tmp_path: Path, store: Store) -> None:
    layout = Layout()
    one, two = layout.image("a"), layout.image("b")
    layout.index += [without_platform(one), without_platform(two)]
    path = layout.write(tmp_path / "l")
    message, advice = refused(path, store)
    assert "several images" in message
    assert one["digest"] in advice
    assert taken(path, store, str(two["digest"])) == ["b"]
    layout.index[:] = [one, two]
    assert "several images" in refused(layout.write(tmp_path / "same"), store)[0]
    layout.index[:] = [one, layout.image("b", "arm64")]
    assert taken(layout.write(tmp_path / "platforms"), store, "", "arm64") == ["b"]


def test_docker_save_with_several_images(tmp_path: Path, store: Store) -> None:
    """moby 25 and later, image/tarexport/save.go: the whole name and the tag, in a layout with a manifest.json."""
    layout = Layout()
    web, db = layout.image("web"), layout.image("db")
    layout.index += [
        named(web, whole="docker.io/library/web:latest", ref="latest"),
        named(web, whole="docker.io/library/web:1", ref="1"),
        named(db, whole="docker.io/library/db:latest", ref="latest"),
    ]
    path = tmp_path / "saved.tar"
    path.write_bytes(packed_files({**layout.files(), "manifest.json": b"[]", "repositories": b"{}"}))
    assert taken(path, store, "web") == taken(path, store, "web:1") == taken(path, store, "1") == ["web"]
    assert taken(path, store, "db") == ["db"]
    message, advice = refused(path, store, "latest")
    assert "several images of the name latest" in message
    assert "docker.io/library/db:latest" in advice
    config = json.loads(layout.blobs[web["digest"]])["config"]["digest"]
    assert taken(path, store, config) == ["web"], "the identifier that `docker images` shows"


@pytest.mark.parametrize("entry_type", [MANIFEST, DOCKER_MANIFEST])
def test_docker_save_by_identifier(tmp_path: Path, store: Store, entry_type: str) -> None:
    layout = Layout()
    made = layout.image("web")
    body = {**json.loads(layout.blobs[made["digest"]]), "mediaType": entry_type}
    body["config"]["mediaType"] = "application/vnd.docker.container.image.v1+json"
    body["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    # Docker's word for a layer is that of a compressed one, also where it is not.
    layout.index.append(layout.put(as_json(body), entry_type))
    assert taken(layout.write(tmp_path / "l", packed=True), store) == ["web"]


def test_an_index_of_buildkit_with_attestations(tmp_path: Path, store: Store) -> None:
    """buildx `--output type=oci`, with provenance, several tags and one platform that was left out of the archive."""
    layout = Layout()
    note = {**layout.image("note"), "platform": {"os": "unknown", "architecture": "unknown"}}
    absent = {**layout.image("absent", "arm64"), "digest": str(Digest.of(b"absent"))}
    inner = [absent, layout.image("web"), named(note, kind="attestation-manifest"), note]
    index = layout.put(as_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": inner}), INDEX)
    layout.index += [
        {**named(index, whole=f"docker.io/me/web:{tag}", ref=tag), "platform": None} for tag in ("1", "latest")
    ]
    path = layout.write(tmp_path / "l", packed=True)
    for name in ("", "1", "me/web", "me/web:1"):
        assert taken(path, store, name) == ["web"]


def test_indexes_that_do_not_say_their_platforms(tmp_path: Path, store: Store) -> None:
    """As `ko` and `crane index append` may write them: an index of indexes, and images without a platform."""
    layout = Layout()
    arm = layout.put(
        as_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [layout.image("arm", "arm64")]}), INDEX
    )
    entries = [arm, without_platform(layout.image("risc", "riscv64")), without_platform(layout.image("web"))]
    layout.named("ko.local/app:latest", layout.put(as_json({"schemaVersion": 2, "manifests": entries}), INDEX))
    path = layout.write(tmp_path / "l")
    assert [taken(path, store, "", p) for p in ("amd64", "arm64", "riscv64")] == [["web"], ["arm"], ["risc"]]
    with pytest.raises(FinbackError, match="not to be had for linux/s390x") as failure:
        taken(path, store, "", "s390x")
    assert "linux/riscv64" in failure.value.diagnostics[0].help


def test_what_is_said_of_an_image_beside_it(tmp_path: Path, store: Store) -> None:
    """cosign save, oras: signatures and bills of materials are entries, too."""
    layout = Layout()
    web = layout.image("web")
    empty = layout.put(b"{}", "application/vnd.oci.empty.v1+json")
    signature = layout.put(as_json({"schemaVersion": 2, "config": empty, "layers": []}), MANIFEST)
    xml = layout.put(b"<a/>", "application/xml")
    layout.index += [web, {**signature, "artifactType": "application/vnd.dev.cosign.artifact.sig.v1+json"}, xml]
    path = layout.write(tmp_path / "l")
    assert taken(path, store) == ["web"]
    with pytest.raises(FinbackError, match="artefact of type"):
        taken(path, store, str(signature["digest"]))


def config_of(names: tuple[str, ...], **more: Any) -> bytes:
    diff_ids = [str(Digest.of(layer(n))) for n in names]
    return as_json({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}, **more})


def crane() -> dict[str, bytes]:
    """go-containerregistry, pkg/v1/tarball/write.go: crane pull, ko --tarball, kaniko --tar-path."""
    config, packed = config_of(("a", "b")), [gzip.compress(layer(n)) for n in ("a", "b")]
    names = [f"{Digest.of(data).encoded}.tar.gz" for data in packed]
    listed = [{"Config": str(Digest.of(config)), "RepoTags": ["ko.local/app:latest"], "Layers": names}]
    return {str(Digest.of(config)): config, **dict(zip(names, packed, strict=True)), "manifest.json": as_json(listed)}


def bazel() -> dict[str, bytes]:
    """rules_oci, oci/private/load.sh: blobs of a layout, named in manifest.json."""
    config, packed = config_of(("a", "b")), [gzip.compress(layer(n)) for n in ("a", "b")]
    names = [f"blobs/sha256/{Digest.of(data).encoded}.tar.gz" for data in packed]
    place = f"blobs/sha256/{Digest.of(config).encoded}"
    listed = [{"Config": place, "RepoTags": ["app:latest"], "Layers": names}]
    return {place: config, **dict(zip(names, packed, strict=True)), "manifest.json": as_json(listed)}


def rules_docker() -> dict[str, bytes]:
    """rules_docker, container/go/pkg/compat: layers in folders, a parent that docker load ignores."""
    config = config_of(("a", "b"))
    place = f"{Digest.of(config).encoded}.json"
    listed = [{"Config": place, "Parent": "", "RepoTags": ["bazel/app:app"], "Layers": ["1/layer.tar", "2/layer.tar"]}]
    return {place: config, "1/layer.tar": layer("a"), "2/layer.tar": layer("b"), "manifest.json": as_json(listed),
            "repositories": b'{"bazel/app": {"app": "2"}}'}  # fmt: skip


def nix() -> dict[str, bytes]:
    """nixpkgs, pkgs/build-support/docker/stream_layered_image.py: names of the form NAME:HASH, no history."""
    config = config_of(("a", "b"), created="1970-01-01T00:00:01+00:00", config={"Cmd": ["/nix/store/x/bin/a"]})
    place = f"{Digest.of(config).encoded}.json"
    names = [f"{Digest.of(layer(n)).encoded}/layer.tar" for n in ("a", "b")]
    listed = [{"Config": place, "RepoTags": ["app:0zdz3gkgs"], "Layers": names}]
    return {names[0]: layer("a"), names[1]: layer("b"), place: config, "manifest.json": as_json(listed)}


def jib() -> dict[str, bytes]:
    """jib, docker/DockerTarget: config.json without a digest in its name."""
    files = saved(["app:latest"], ("a", "b"))
    listed = json.loads(files["manifest.json"])
    files["config.json"] = files.pop(listed[0]["Config"])
    listed[0]["Config"] = "config.json"
    return {**files, "manifest.json": as_json(listed)}


def without_tags() -> dict[str, bytes]:
    """`docker save ID` before Docker 25: no name at all, and the list is null."""
    files = saved([], ("a", "b"))
    listed = json.loads(files["manifest.json"])
    listed[0]["RepoTags"] = None
    return {**files, "manifest.json": as_json(listed)}


def listed_twice() -> dict[str, bytes]:
    """The same image once for each of its names."""
    files = saved(["app:1"], ("a", "b"))
    listed = json.loads(files["manifest.json"])
    return {**files, "manifest.json": as_json([*listed, {**listed[0], "RepoTags": ["app:2"]}])}


def before_1_10() -> dict[str, bytes]:
    """docker save before 1.10, image specification 1.0: a chain of layers, each with its own description."""
    lower, upper = "1" * 64, "2" * 64
    about = {"created": "2015-01-01T00:00:00Z", "os": "linux", "architecture": "amd64"}
    described = {
        lower: {**about, "id": lower, "container_config": {"Cmd": ["/x"]}, "Size": 4},
        upper: {**about, "id": upper, "parent": lower, "config": {"Cmd": ["/a"]}, "Size": 5},
    }
    made = {"repositories": as_json({"app": {"latest": upper, "1": upper}})}
    for name, identifier in (("a", lower), ("b", upper)):
        made |= {f"{identifier}/VERSION": b"1.0", f"{identifier}/json": as_json(described[identifier]),
                 f"{identifier}/layer.tar": layer(name)}  # fmt: skip
    return made


@pytest.mark.parametrize(
    "make", [crane, bazel, rules_docker, nix, jib, without_tags, listed_twice, before_1_10], ids=lambda m: m.__name__
)
@pytest.mark.parametrize("packing", ["tar", "gzip"])
def test_archives(make: Callable[[], dict[str, bytes]], packing: str, tmp_path: Path, store: Store) -> None:
    path, data = tmp_path / "a.tar", packed_files(make())
    path.write_bytes(data if packing == "tar" else gzip.compress(data))
    assert taken(path, store) == ["a", "b"]


def test_an_archive_before_docker_1_10(tmp_path: Path, store: Store) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(packed_files(before_1_10()))
    assert taken(path, store, "app") == taken(path, store, "app:1") == taken(path, store, "2" * 64) == ["a", "b"]
    assert "app:latest" in refused(path, store, "other")[1]
    with files.opened(path, store) as found:
        digest = local_image.take(found, "", Platform(), store)
        assert local_image.take(found, "app:1", Platform(), store) == digest
    config = image.load(store, digest).config
    assert config["config"] == {"Cmd": ["/a"]}
    assert config["created"] == "2015-01-01T00:00:00Z"
    assert "parent" not in config


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("endless", "no end"), ("way out", "name that is none"), ("no json", "no file"), ("rubbish", "can't be read"),
        ("no layer", "no file"), ("repositories", "can't be read"),
    ],
)  # fmt: skip
def test_faulty_archives_before_docker_1_10(change: str, said: str, tmp_path: Path, store: Store) -> None:
    made, top = before_1_10(), "2" * 64
    about = json.loads(made[f"{top}/json"])
    match change:
        case "endless":
            made[f"{top}/json"] = as_json({**about, "parent": top})
        case "way out":
            made[f"{top}/json"] = as_json({**about, "parent": "../../etc"})
        case "no json":
            del made[f"{top}/json"]
        case "rubbish":
            made[f"{top}/json"] = b"[1"
        case "no layer":
            del made[f"{top}/layer.tar"]
        case "repositories":
            made["repositories"] = b'{"app": 1}'
    path = tmp_path / "a.tar"
    path.write_bytes(packed_files(made))
    with pytest.raises(FinbackError, match=said):
        taken(path, store)


@pytest.mark.parametrize(
    ("media_type", "packed"),
    [
        (f"{LAYER}+gzip", False), (LAYER, True), (f"{LAYER}+zstd", True),
        ("application/vnd.docker.image.rootfs.diff.tar", True),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", False),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", True),
    ],
)  # fmt: skip
def test_layers_are_what_their_bytes_are(media_type: str, packed: bool, tmp_path: Path, store: Store) -> None:
    layout = Layout()
    data = gzip.compress(layer("web")) if packed else layer("web")
    body = {"schemaVersion": 2, "config": layout.put(config_of(("web",)), image.CONFIG),
            "layers": [layout.put(data, media_type)]}  # fmt: skip
    layout.index.append(layout.put(as_json(body), MANIFEST))
    assert taken(layout.write(tmp_path / "l"), store) == ["web"]


@pytest.mark.parametrize(
    ("layers", "config", "tree"),
    [
        ([], {"rootfs": {"type": "layers", "diff_ids": None}}, []), ([], {"rootfs": {"type": "layers"}}, []),
        ([b""], {}, []), ([bytes(1024)], {}, []), ([bytes(512)], {}, []),
        ([layer("a"), bytes(1024), layer("a")], {}, ["a"]),
        # An archive that just ends, as a few tools write it.
        ([layer("a").rstrip(b"\0").ljust(1024, b"\0")], {}, ["a"]),
        ([layer("a")], {"os": None, "architecture": None}, ["a"]),
        ([layer("a")], {"os": "", "architecture": ""}, ["a"]),
        ([layer("a")], {"architecture": "x86_64"}, ["a"]), ([layer("a")], {"created": None, "history": None}, ["a"]),
        ([layer("a")], {"config": None}, ["a"]),
    ],
)  # fmt: skip
def test_layers_and_configurations_with_little_in_them(
    layers: list[bytes], config: dict[str, Any], tree: list[str], tmp_path: Path, store: Store
) -> None:
    layout = Layout()
    diff_ids = [str(Digest.of(data)) for data in layers]
    about = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diff_ids}, **config}
    body = {"schemaVersion": 2, "config": layout.put(as_json(about), image.CONFIG),
            "layers": [layout.put(data, LAYER) for data in layers] or None}  # fmt: skip
    layout.index.append(layout.put(as_json(body), MANIFEST))
    assert taken(layout.write(tmp_path / "l"), store) == tree


def test_a_fault_of_a_layout_is_not_a_registrys(tmp_path: Path, store: Store) -> None:
    layout = Layout()
    layout.index.append(layout.put(b'{"schemaVersion": 1}', MANIFEST))
    for text, place in (("", f"{layout.index[0]['digest']} in"), ("{", "index.json in")):
        path = layout.write(tmp_path / "l")
        if text:
            (path / "index.json").write_text(text)
        with pytest.raises(FinbackError) as failure:
            taken(path, store)
        (found,) = failure.value.diagnostics
        assert (found.code, found.message.startswith(place), "registry" in found.message) == ("F170", True, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5)
    | st.sampled_from(["1" * 64, f"sha256:{'1' * 64}", MANIFEST, INDEX, image.CONFIG]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["manifests", "mediaType", "digest", "size", "schemaVersion", "annotations", "platform",
                         "Config", "Layers", "RepoTags", "parent", "os", "architecture", "rootfs", "diff_ids", "app",
                         "layers"]),
        inner, max_size=6),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(
    st.sampled_from(["index.json", "oci-layout", "manifest.json", "repositories", "version", f"{'1' * 64}/json",
                     f"blobs/sha256/{'1' * 64}"]),
    JSON.map(as_json) | st.just(b"Directory Transport Version: 1.1\n"), max_size=6))  # fmt: skip
def test_any_files_are_an_image_or_an_error(store: Store, found: dict[str, bytes]) -> None:
    @dataclass
    class Made:
        label: str = "made"

        def has(self, name: str) -> bool:
            return name in found

        def stream(self, name: str) -> Iterator[bytes]:
            if name not in found:
                raise error("F410", f"no file {name}", help="none")
            yield found[name]

    with contextlib.suppress(FinbackError):
        local_image.take(Made(), "", Platform(), store)
