"""Pushing to a registry, also to one that fails."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.ground.event import silent
from finback.oci import artifact, manifest, push
from finback.oci.credentials import Credential
from finback.oci.manifest import Descriptor, Document
from finback.oci.push import Target
from finback.testing import fault
from finback.testing.fault import Answer, Change, Fault
from finback.testing.registry import Access, FakeRegistry
from finback.testing.world import World

DATA = os.urandom(700_000)


def target(world: World, repository: str = "b", mount_from: str = "") -> Target:
    return Target(world.registries.get(world.registry.host), repository, mount_from, part=200_000)


def made(world: World, data: bytes = DATA, subject: Descriptor | None = None) -> Document:
    config = artifact.config(None)
    described = Descriptor(media_type=artifact.CONFIG, digest=world.store.put(config), size=len(config))
    layer = artifact.described("x.img", world.store.put(data), len(data))
    return manifest.read(artifact.write([layer], described, {"k": "v"}, subject), manifest.MANIFEST)


def push_all(world: World, where: Target, document: Document, reference: str = "1") -> None:
    push.image(where, world.store, document, silent)
    push.document(where, document.body, document.media_type, reference)


def there(world: World, repository: str = "b") -> bool:
    return world.registry.repositories[repository].blobs.get(str(Digest.of(DATA))) == DATA


def test_a_large_blob_goes_in_parts_and_once(world: World) -> None:
    document = made(world)
    push_all(world, target(world), document)
    assert there(world)
    ranges = [s.headers["Content-Range"] for s in world.registry.seen if s.method == "PATCH"]
    assert ranges == ["0-199999", "200000-399999", "400000-599999", "600000-699999"]
    assert world.registry.repositories["b"].tags == {"1": str(document.digest)}
    before = sum(s.method in ("PATCH", "POST") for s in world.registry.seen)
    push_all(world, target(world), document)
    assert sum(s.method in ("PATCH", "POST") for s in world.registry.seen) == before


def test_a_blob_of_another_repository_is_mounted(world: World) -> None:
    push_all(world, target(world), made(world))
    before = len(world.registry.seen)
    push_all(world, target(world, "c", mount_from="b"), made(world))
    assert there(world, "c")
    assert not any(s.method == "PATCH" for s in world.registry.seen[before:])


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
def test_pushing_with_a_password(world: World, scheme: str) -> None:
    world.registry.access = Access(scheme, {"me": "s3cr3t"}, anonymous=True)
    world.credentials.store(world.registry.host, Credential(username="me", password="s3cr3t"))
    push_all(world, target(world), made(world))
    push_all(world, target(world, "c", mount_from="b"), made(world))
    assert there(world)
    assert there(world, "c")


def test_pushing_without_a_password(world: World) -> None:
    world.registry.access = Access("bearer", {"me": "s3cr3t"}, anonymous=True)
    with pytest.raises(FinbackError) as failure:
        push_all(world, target(world), made(world))
    assert failure.value.diagnostics[0].code == "F205"


def lost(answer: Answer) -> Answer:
    """The answer does not get through; what it answers was done."""
    return replace(answer, status=200, headers={"Content-Length": "10"}, body=b"", announced=10)


@pytest.mark.parametrize(
    ("pattern", "change", "times"),
    [
        ("PATCH ", fault.status(500), 1),
        ("PATCH ", fault.status(429, Retry_After="0"), 2),
        ("PATCH ", lost, 1),
        ("PATCH ", lost, 2),
        ("POST ", fault.status(503), 2),
        ("HEAD ", fault.status(502), 2),
        ("PUT /v2/b/blobs", fault.status(503), 1),
        ("PUT /v2/b/blobs", lost, 3),
        ("PUT /v2/b/manifests", fault.status(503), 2),
        ("PUT /v2/b/manifests", lost, 1),
    ],
)
def test_faults_that_pass_end_in_success(world: World, pattern: str, change: Change, times: int) -> None:
    hit = Fault(pattern, change, times)
    world.registry.faults.append(hit)
    document = made(world)
    push_all(world, target(world), document)
    assert hit.left == 0
    assert there(world)
    assert str(document.digest) in world.registry.repositories["b"].manifests


@pytest.mark.parametrize(
    ("pattern", "change", "code"),
    [
        ("PATCH ", fault.status(413), "F207"),
        ("PATCH ", fault.status(403), "F205"),
        ("POST ", fault.status(405), "F207"),
        ("POST ", fault.status(202), "F207"),
        ("POST ", fault.status(202, Location="file:///etc/passwd"), "F207"),
        ("PUT /v2/b/blobs", fault.status(400), "F207"),
        ("PUT /v2/b/blobs", fault.status(404), "F209"),
        ("PUT /v2/b/manifests", fault.status(413), "F207"),
    ],
)
def test_faults_that_stay_end_in_an_error(world: World, pattern: str, change: Change, code: str) -> None:
    world.registry.faults.append(Fault(pattern, change, 10_000))
    if code == "F209":
        world.registry.faults.append(Fault("HEAD ", fault.status(404), 10_000))
    with pytest.raises(FinbackError) as failure:
        push_all(world, target(world), made(world))
    assert failure.value.diagnostics[0].code == code
    # The fault that befalls the manifest's own answer comes after it was put.
    assert world.registry.repositories["b"].tags == {} or "manifests" in pattern


def test_an_upload_at_another_host_gets_no_credentials(world: World) -> None:
    world.registry.access = Access("basic", {"me": "s3cr3t"})
    world.credentials.store(world.registry.host, Credential(username="me", password="s3cr3t"))
    with FakeRegistry() as other:
        other.uploads["00"] = bytearray()
        elsewhere = f"{other.url}/v2/b/blobs/uploads/00"
        config = artifact.config(None)
        world.registry.put_blob("b", config)
        world.registry.faults.append(Fault("POST ", fault.status(202, Location=elsewhere)))
        with pytest.raises(FinbackError):
            # The blob is there now, and not here.
            push_all(world, target(world), made(world))
        assert other.repositories["b"].blobs[str(Digest.of(DATA))] == DATA
        assert not any("Authorization" in s.headers for s in other.seen)


@pytest.mark.parametrize("api", [True, False], ids=["referrers API", "fallback tag"])
def test_what_is_about_something_is_found(world: World, api: bool) -> None:
    world.registry.referrers = api
    where = target(world)
    first = made(world)
    push_all(world, where, first)
    about = [made(world, bytes([n]), subject=first.descriptor) for n in range(2)]
    for document in about:
        push_all(world, where, document, str(document.digest))
        push_all(world, where, document, str(document.digest))
    found = where.registry.referrers("b", first.digest)
    assert {d.digest for d in found} == {d.digest for d in about}
    assert {d.artifact_type for d in found} == {artifact.SYSTEM}
    assert found[0].annotations == {"k": "v"}
    assert where.registry.referrers("b", first.digest, "other/type") == ()
    assert where.registry.referrers("b", about[0].digest) == ()
    tags = world.registry.repositories["b"].tags
    assert len(tags) == (1 if api else 2)


def test_names_of_files_can_not_go_astray(world: World) -> None:
    for name in ("../x", "a/b", ".bashrc", "", "-rf", "a\nb", "x" * 300):
        document = json.loads(made(world).body)
        document["layers"][0]["annotations"] = {artifact.TITLE: name}
        with pytest.raises(FinbackError) as failure:
            artifact.files(manifest.read(json.dumps(document).encode()), "x")
        assert failure.value.diagnostics[0].code == "F174"
