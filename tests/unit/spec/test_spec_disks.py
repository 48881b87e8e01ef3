from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.source import Source
from finback.spec.check import check
from finback.spec.decode import load
from finback.spec.disk import size
from finback.spec.model import Spec


def findings(text: str) -> list[Diagnostic]:
    return list(check(load(Spec, Source("t.yml", text))))


def disks(*words: str, more: str = "") -> str:
    return "disks: [" + ", ".join(f"{{{w}}}" for w in words) + f"]{more}"


def parts(*words: str) -> str:
    return disks("name: d, partitions: [" + ", ".join(f"{{{w}}}" for w in words) + "]")


WRONG = [
    (disks("name: Data"), "F011", "name: data"),
    (disks("name: a", "name: a"), "F033", "rename"),
    (disks("name: a", "name: b, partitions: [{name: a}]"), "F033", "rename"),
    (disks("name: a, partitions: []"), "F011", "add some"),
    (disks("name: a, mount: /var/a, partitions: [{name: b}]"), "F012", "move it"),
    (disks("name: a, wait: 100000"), "F064", "seconds"),
    (disks("name: a, timeout: 0"), "F064", "seconds"),
    (disks("name: a, match: {minSize: 20}"), "F011", "20G"),
    (disks("name: a, match: {minSize: 2G, maxSize: 1G}"), "F011", "above"),
    (disks("name: a, match: {serial: 'a\tb'}"), "F011", "printable"),
    (disks("name: a, match: {label: x}, partitions: [{name: b}]"), "F012", "something else"),
    (parts("name: a", "name: b"), "F011", "be the last"),
    (parts("name: a, size: 1G, grow: true", "name: b"), "F012", "be the last"),
    (parts("name: a, size: 0M"), "F011", "20G"),
    (disks("name: a, label: seventeen-letters"), "F011", "at most 16"),
    (disks("name: a, filesystem: vfat, label: twelve-chars"), "F011", "at most 11"),
    (disks("name: a, mount: var/a"), "F011", "mount: /var/a"),
    (disks("name: a, mount: /var/a/"), "F011", "mount: /var/a"),
    (disks("name: a, mount: '/var/a b'"), "F011", "blanks"),
    (disks("name: a, mount: /"), "F013", "below /var"),
    (disks("name: a, mount: /etc/x"), "F013", "below /var"),
    (disks("name: a, mount: /var/a", "name: b, mount: /var/a"), "F013", "elsewhere"),
    (disks("name: a, mount: /var/a", "name: b, mount: /var"), "F013", "let b come before a"),
    (disks("name: a, options: ['nodev,ro']"), "F011", "by itself"),
    (disks("name: a, encryption: {}"), "F015", "tpm2"),
    (disks("name: a, encryption: {passphrase: false}"), "F015", "tpm2"),
    (disks("name: a, encryption: {keyFile: /run/k, passphrase: true}"), "F015", "remove one"),
    (disks("name: a, encryption: {keyFile: run/k}"), "F011", "keyFile: /run/k"),
    (disks("name: a, encryption: {tpm2: {pcrs: []}}"), "F011", "0 to 23"),
    (disks("name: a, encryption: {tpm2: {pcrs: [24]}}"), "F011", "0 to 23"),
    (disks("name: data", more="\nvolumes: [{name: v, disk: dta}]"), "F014", "did you mean data"),
    (parts("name: p") + "\nvolumes: [{name: v, disk: d}]", "F014", "p"),
    (disks("name: a, filesystem: swap", more="\nvolumes: [{name: v, disk: a}]"), "F014", "another disk"),
]


@pytest.mark.parametrize(("text", "code", "advice"), WRONG)
def test_what_is_wrong(text: str, code: str, advice: str) -> None:
    (found,) = findings(text)
    assert (found.code, found.severity) == (code, Severity.ERROR)
    assert advice in (found.help or "")
    assert found.span is not None


DOUBTFUL = [
    (disks("name: a, filesystem: swap, mount: /var/a"), "F054"),
    (disks("name: a, filesystem: vfat, grow: true"), "F054"),
    (disks("name: a, filesystem: btrfs, repair: all"), "F054"),
    (disks("name: a, match: {label: x}, label: y"), "F054"),
    (
        disks("name: a, encryption: {keyFile: /etc/keys/a}", more="\nfiles: [{path: etc/keys/a, contents: secret}]"),
        "F016",
    ),
]


@pytest.mark.parametrize(("text", "code"), DOUBTFUL)
def test_what_is_doubtful(text: str, code: str) -> None:
    (found,) = findings(text)
    assert (found.code, found.severity) == (code, Severity.WARNING)
    assert found.help
    assert found.span is not None


RIGHT = [
    disks("name: a"),
    disks("name: a, mount: /var", "name: b, mount: /var/lib/b"),
    disks("name: a, optional: true, onFailure: continue, wait: 0, match: {bus: nvme, minSize: 1G, serial: 'X 1'}"),
    parts("name: a, size: 512M, filesystem: swap", "name: b, filesystem: xfs, grow: true, options: ['mode=0755']"),
    disks("name: a, encryption: {tpm2: {}, keyFile: /run/k}", "name: b, encryption: {tpm2: {pcrs: [0, 7]}}"),
    disks("name: a", more="\nvolumes: [{name: v, disk: a}]\nservices: [{name: s, image: i, binds: ['v:/v']}]"),
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right(text: str) -> None:
    assert findings(text) == []


@given(st.integers(1, 999_999_999), st.sampled_from("MGT"))
def test_a_size_is_a_number_and_a_unit(number: int, unit: str) -> None:
    assert size(f"{number}{unit}") == number << {"M": 20, "G": 30, "T": 40}[unit]


@pytest.mark.parametrize("text", ["", "1", "G", "0G", "-1G", "1.5G", "1g", "1 G", "1GB", "\u0661G", "1G\n"])
def test_nothing_else_is_a_size(text: str) -> None:
    with pytest.raises(ValueError, match="size"):
        size(text)
