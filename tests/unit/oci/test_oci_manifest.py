"""Manifests, platforms, and how registries are reached."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.ground.diagnostic import FinbackError
from finback.ground.platform import Platform
from finback.oci import manifest
from finback.oci.manifest import DOCKER_LIST, INDEX, MANIFEST
from finback.oci.network import Network, Rule, insecure_rules, mirror_rules

D = {"mediaType": "x/y", "digest": "sha256:" + "0" * 64, "size": 3}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda c: st.lists(c, max_size=3), max_leaves=4
)
KEYS = st.sampled_from(
    ["schemaVersion", "mediaType", "config", "layers", "manifests", "digest", "size", "annotations", "platform",
     "os", "architecture", "subject", "artifactType"]
)  # fmt: skip
VALUES = st.recursive(
    JSON | st.sampled_from([2, INDEX, MANIFEST, D["digest"], [D], D]),
    lambda c: st.dictionaries(KEYS, c, max_size=6) | st.lists(c, max_size=3),
    max_leaves=20,
)


def platform(text: str) -> dict[str, str]:
    os, architecture, *variant = text.split("/")
    return {"os": os, "architecture": architecture, **({"variant": variant[0]} if variant else {})}


def index(*platforms: str) -> manifest.Document:
    entries = [{**D, "mediaType": MANIFEST, "size": n, "platform": platform(p)} for n, p in enumerate(platforms)]
    return manifest.read(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode())


@given(st.dictionaries(KEYS, VALUES, max_size=6) | VALUES)
def test_any_json_is_a_manifest_or_an_error(value: Any) -> None:
    try:
        found = manifest.read(json.dumps(value).encode(), MANIFEST)
    except FinbackError as failure:
        codes = {d.code for d in failure.diagnostics}
    else:
        codes = set()
        for descriptor in (*found.layers, *found.manifests):
            assert descriptor.size >= 0
            json.dumps(descriptor.written())
    assert codes <= {"F170"}


@given(st.binary(max_size=100))
def test_any_bytes_are_a_manifest_or_an_error(data: bytes) -> None:
    with pytest.raises(FinbackError):
        manifest.read(data, MANIFEST)


@pytest.mark.parametrize(
    ("offered", "wanted", "number"),
    [
        (["linux/arm64", "linux/amd64"], "linux/amd64", 1),
        (["linux/arm64/v8"], "linux/arm64", 0),
        (["linux/arm64"], "linux/arm64/v8", 0),
        (["linux/amd64/v3", "linux/amd64"], "linux/amd64", 1),
        (["linux/amd64", "linux/amd64/v2", "linux/amd64/v3"], "linux/amd64/v2", 1),
        (["linux/amd64", "linux/amd64"], "linux/amd64", 0),
        (["windows/amd64", "linux/amd64"], "linux/amd64", 1),
    ],
)
def test_the_newest_variant_that_runs_is_chosen(offered: list[str], wanted: str, number: int) -> None:
    assert manifest.choose(index(*offered), Platform.parse(wanted), "x").size == number


@pytest.mark.parametrize("offered", [["linux/amd64/v3"], ["windows/amd64"], ["unknown/unknown"], []])
def test_what_does_not_run_is_not_chosen(offered: list[str]) -> None:
    with pytest.raises(FinbackError) as failure:
        manifest.choose(index(*offered), Platform.parse("amd64"), "x")
    assert failure.value.diagnostics[0].code == "F171"


@pytest.mark.parametrize(
    "change",
    [
        {"manifests": [D]},
        {"schemaVersion": 1},
        {"mediaType": INDEX},
        {"mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"},
        {"layers": [{**D, "size": -1}]},
        {"layers": [{**D, "size": True}]},
        {"layers": [{**D, "digest": "md5:0"}]},
        {"config": None},
    ],
)
def test_what_is_no_manifest_is_refused(change: dict[str, Any]) -> None:
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": D, "layers": [D]}
    assert manifest.read(json.dumps(body).encode()).layers[0].size == 3
    with pytest.raises(FinbackError) as failure:
        manifest.read(json.dumps({**body, **change}).encode())
    assert failure.value.diagnostics[0].code == "F170"


@pytest.mark.parametrize(
    "other",
    [
        {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
        {"platform": {"os": "unknown", "architecture": "unknown"}},
        {"artifactType": "application/spdx+json"},
        {"mediaType": "application/xml"},
    ],
)
def test_what_is_said_of_an_image_is_no_image(other: dict[str, Any]) -> None:
    entry = {**D, "mediaType": MANIFEST}
    body = {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [{**entry, **other}, {**entry, "size": 7}]}
    assert manifest.choose(manifest.read(json.dumps(body).encode()), Platform(), "x").size == 7


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (("linux", "x86_64", ""), "linux/amd64"), (("", "aarch64", "8"), "linux/arm64/v8"),
        (("linux", "armhf", ""), "linux/arm/v7"), (("linux", "arm", "7"), "linux/arm/v7"),
        (("windows", "amd64", ""), "windows/amd64"), (("linux", "riscv64", ""), "linux/riscv64"),
    ],
)  # fmt: skip
def test_spellings_of_platforms(said: tuple[str, str, str], meant: str) -> None:
    assert str(manifest.platform(*said)) == meant


def test_the_closest_rule_decides() -> None:
    rules = (
        *mirror_rules(["http://all.example", "docker.io=https://one.example/p/", "docker.io=http://two.example"]),
        *insecure_rules(["http://plain.example:5000", "https://self.example"]),
        Rule(pattern="*.example", mirrors=("https://three.example",)),
    )
    network = Network(rules)
    assert network.mirrors("docker.io") == ("https://one.example/p", "http://two.example")
    assert network.mirrors("quay.io") == ("http://all.example",)
    assert network.mirrors("a.example") == ("https://three.example",)
    assert network.base("docker.io") == "https://registry-1.docker.io"
    assert network.base("plain.example:5000") == "http://plain.example:5000"
    assert network.base("self.example") == "https://self.example"
    assert network.security("self.example").unchecked == {"self.example"}
    assert not network.security("plain.example:5000").unchecked
    assert mirror_rules(["index.docker.io=https://a.example"])[0].pattern == "docker.io"


@pytest.mark.parametrize("text", ["", "a.example", "docker.io=a.example", "=https://a", "ftp://a", "https://u@a"])
def test_what_is_no_mirror_is_refused(text: str) -> None:
    with pytest.raises(FinbackError) as failure:
        mirror_rules([text])
    assert failure.value.diagnostics[0].code == "F042"


@pytest.mark.parametrize("text", ["", "a.example", "ftp://a", "http://a/b"])
def test_how_a_registry_is_insecure_must_be_said(text: str) -> None:
    with pytest.raises(FinbackError) as failure:
        insecure_rules([text])
    assert failure.value.diagnostics[0].code == "F042"
