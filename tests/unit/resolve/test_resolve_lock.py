from __future__ import annotations

import json
from dataclasses import replace

import pytest

from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.resolve import lock as locking
from finback.resolve.lock import Lock
from finback.resolve.plan import ImagePin, PackagePin, Plan
from finback.resolve.substitute import Rule, substitute


def pin(version: str = "1") -> ImagePin:
    package = PackagePin(
        name="nginx",
        version=version,
        architecture="amd64",
        filename="pool/n.deb",
        size=3,
        digest=Digest.of(version.encode()),
    )
    return ImagePin(
        reference="docker.io/finback/nginx",
        digest=Digest.of(b"m" + version.encode()),
        version=version,
        packages=(package,),
    )


def lock(version: str = "1") -> Lock:
    return Lock().with_plan(Plan(name="t", platform=Platform(), epoch=0, init=(pin(version),)))


def test_a_lock_comes_back_from_its_text() -> None:
    assert locking.decode(locking.encode(lock()), "t.lock") == lock()


def test_a_boot_loader_stays_locked_when_other_formats_are_made() -> None:
    def plan(*loaders: ImagePin, init: tuple[ImagePin, ...] = ()) -> Plan:
        return Plan(name="t", platform=Platform(), epoch=0, init=init, loaders=loaders)

    loader = replace(pin(), reference="docker.io/finback/syslinux", loader=True)
    first = Lock().with_plan(plan(loader, init=(pin(),)))
    assert locking.decode(locking.encode(first), "t.lock") == first
    second = first.with_plan(plan())
    assert set(second.platforms["linux/amd64"]) == {loader.reference}
    newer = replace(pin("2"), reference=loader.reference, loader=True)
    assert second.with_plan(plan(newer)).pin("linux/amd64", loader.reference) == newer
    assert second.without("linux/amd64", [loader.reference]).with_plan(plan()).platforms["linux/amd64"] == {}


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"version": 9, "platforms": {}}', '{"version":1,"platforms":{"x":{"y":{}}}}']
)
def test_what_is_no_lock_is_said(text: str) -> None:
    with pytest.raises(FinbackError) as failure:
        locking.decode(text, "t.lock")
    assert failure.value.diagnostics[0].code == "F601"


SYSTEM = {"plan": "sha256:" + 64 * "0", "epoch": 5}
IMAGE = {"digest": "sha256:" + 64 * "0"}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"version": True}, "$.version is true"),
        ({"version": "2"}, "$.version is a string"),
        ({}, "$.version is absent"),
        ({"version": 2}, "$.platforms is absent"),
        ({"version": 2, "platforms": []}, "$.platforms is an array"),
        ({"version": 2, "platforms": {"linux/amd64": {"a": []}}}, "linux/amd64.a is an array"),
        ({"version": 2, "platforms": {"p": {"a": {**IMAGE, "packages": {"a": 1}}}}}, "packages is an object"),
        ({"version": 2, "platforms": {"p": {"a": {**IMAGE, "packages": [{"name": 1}]}}}}, "packages[0].name is a num"),
        ({"version": 2, "platforms": {"p": {"a": {**IMAGE, "loader": "no"}}}}, "loader is a string"),
        ({"version": 2, "platforms": {"p": {"a": {**IMAGE, "version": 1}}}}, "version is a number"),
        ({"version": 2, "platforms": {"p": {"a": {"digest": "sha256:0"}}}}, "a.digest is no digest: 'sha256:0'"),
        ({"version": 2, "platforms": {}, "library": "yes"}, "$.library is a string"),
        ({"version": 2, "platforms": {}, "substitute": "a=b"}, "$.substitute is a string"),
        ({"version": 2, "platforms": {}, "substitute": [1]}, "$.substitute[0] is a number"),
        ({"version": 2, "platforms": {}, "extends": {"a": None}}, "$.extends.a is absent"),
        ({"version": 2, "platforms": {}, "systems": {"p": {**SYSTEM, "epoch": True}}}, "p.epoch is true"),
        ({"version": 2, "platforms": {}, "systems": {"p": {**SYSTEM, "epoch": 5.5}}}, "p.epoch is a number"),
        ({"version": 2, "platforms": {}, "systems": {"p": {**SYSTEM, "epoch": "5"}}}, "p.epoch is a string"),
        ({"version": 2, "platforms": {}, "systems": {"p": {**SYSTEM, "epoch": -1}}}, "p.epoch is -1"),
        ({"version": 2, "platforms": {}, "systems": {"p": {**SYSTEM, "files": {"a": "gone"}}}}, "a is no digest"),
        ({"version": 2, "platforms": {}, "systems": {"p": {**SYSTEM, "made": {"tar": {"files": {}}}}}}, "is absent"),
    ],
)
def test_a_value_of_another_type_is_named_by_its_place(body: dict[str, object], place: str) -> None:
    with pytest.raises(FinbackError) as failure:
        locking.decode(json.dumps(body), "t.lock")
    found = failure.value.diagnostics[0]
    assert (found.code, place in found.message) == ("F601", True), found.message


def test_other_platforms_stay() -> None:
    arm = Plan(name="t", platform=Platform("linux", "arm64"), epoch=0, init=(pin("2"),))
    both = lock().with_plan(arm)
    assert both.pin("linux/amd64", "docker.io/finback/nginx").version == "1"
    assert (
        both.without("linux/arm64", ["docker.io/finback/nginx"]).pin("linux/arm64", "docker.io/finback/nginx") is None
    )


def test_changes_name_image_and_package() -> None:
    changes = locking.compare(lock("1"), lock("2"))
    assert [(c.subject.strip(), c.after.split()[0]) for c in changes] == [
        ("docker.io/finback/nginx", "2"),
        ("nginx", "2"),
    ]
    assert locking.compare(lock(), lock()) == ()


def test_rules_answer_names_without_their_tags() -> None:
    answer = substitute([Rule.parse("linuxkit/*=finback/*"), Rule.parse("nginx=finback/nginx")], lambda n: "finback/l")
    assert answer("linuxkit/init:abc") == "finback/init"
    assert answer("nginx:alpine") == "finback/nginx"
    assert answer("docker.io/library/nginx") == "finback/nginx"
    assert answer("other/x") == "finback/l"
    for bad in ("x", "=y", "a*b*=c", "a=b*"):
        with pytest.raises(FinbackError):
            Rule.parse(bad)


def test_two_builds_for_two_platforms_keep_each_others_pins() -> None:
    def plan(architecture: str, number: int) -> Plan:
        platform = Platform("linux", architecture)
        return Plan(name="t", platform=platform, epoch=number, init=(pin(str(number)),))

    before = Lock().with_plan(plan("amd64", 1)).with_files(plan("amd64", 1), {})
    # Both have read the same file; the other one has written it meanwhile.
    other = before.with_plan(plan("arm64", 2)).with_files(plan("arm64", 2), {"x": None})
    mine = before.with_plan(plan("amd64", 3)).with_files(plan("amd64", 3), {"y": None})
    both = mine.beside(other, Platform("linux", "amd64"))
    assert both.platforms == {**other.platforms, **mine.platforms}
    assert both.systems == {**other.systems, **mine.systems}
    assert locking.decode(locking.encode(both), "t.lock") == both
