from __future__ import annotations

from functools import reduce

from finback.ground.source import Source
from finback.spec.decode import load
from finback.spec.merge import merge
from finback.spec.model import Spec


def merged(*texts: str) -> Spec:
    return reduce(merge, [load(Spec, Source(f"{i}.yml", t)) for i, t in enumerate(texts)])


def test_kernel_field_by_field() -> None:
    kernel = merged(
        "kernel: {image: a, cmdline: x, binary: vmlinuz, tar: k.tar, ucode: u}",
        "kernel: {image: '', cmdline: y, ucode: ''}",
    ).kernel
    assert (kernel.image, kernel.cmdline, kernel.binary, kernel.tar, kernel.ucode) == ("a", "y", "vmlinuz", "k.tar", "")
    assert str(kernel.origin.at("image")) == "0.yml:1:17"
    assert str(kernel.origin.at("cmdline")) == "1.yml:1:30"


def test_a_kernel_in_either_file() -> None:
    assert merged("init: [a]", "kernel: {image: k}").kernel.image == "k"
    assert merged("kernel: {image: k}", "init: [a]").kernel.image == "k"


def test_lists_are_joined_and_keep_their_places() -> None:
    spec = merged(
        "init: [a, b]\nservices: [{name: s, image: i}]", "init: [c]", "init: [d]\nservices: [{name: t, image: i}]"
    )
    assert spec.init == ("a", "b", "c", "d")
    assert [str(spec.origin.at("init", i)) for i in range(4)] == ["0.yml:1:8", "0.yml:1:11", "1.yml:1:8", "2.yml:1:8"]
    assert [i.origin.span.source.name for i in spec.services] == ["0.yml", "2.yml"]


def test_given_empty_differs_from_not_given() -> None:
    assert merged("init: []", "services: []") == Spec(init=(), services=())
    assert merged("", "files: []").files == ()


def test_trust_and_outputs() -> None:
    spec = merged(
        "trust: {org: [a]}\noutputs: [{format: tar}]", "trust: {org: [b], image: [c]}\noutputs: [{format: vhd}]"
    )
    assert (spec.trust.org, spec.trust.image) == (("a", "b"), ("c",))
    assert [o.format for o in spec.outputs] == ["tar", "vhd"]


def test_merging_is_associative() -> None:
    a, b, c = (
        load(Spec, Source("t", t)) for t in ("init: [a]\nkernel: {image: x}", "kernel: {cmdline: y}", "init: [c]")
    )
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
