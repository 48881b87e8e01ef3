"""What is suggested for keys that do not exist."""

from __future__ import annotations

import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.source import Source
from finback.spec import habit
from finback.spec.check import check_content
from finback.spec.decode import fields_of
from finback.spec.extend import SpecFile
from finback.spec.hint import meant
from finback.spec.load import load_files
from finback.spec.model import Item
from finback.spec.schema import schema


def problems(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(FinbackError) as failure:
        load_files((Source("t.yml", text),))
    return failure.value.diagnostics


def item(key: str) -> str:
    return f"services: [{{name: a, image: b, {key}: []}}]"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        # Spelling beats the record that has the key.
        ("service: [{name: a, image: b}]", "did you mean services?"),
        ("servcies: []", "did you mean services?"),
        ("volume: []", "did you mean volumes?"),
        ("disk: []", "did you mean disks?"),
        ("file: []", "did you mean files?"),
        ("test: []", "did you mean tests?"),
        ("secret: []", "did you mean secrets?"),
        ("onbot: []", "did you mean onboot?"),
        ("kernal: {}", "did you mean kernel?"),
        (item("comand"), "did you mean command?"),
        (item("capabilites"), "did you mean capabilities?"),
        (item("need"), "did you mean needs?"),
        # So do the habits of other tools.
        ("hostname: a", "etc/hostname"),
        ("sysctl: {a: b}", "etc/sysctl.d"),
        ("users: [a]", "no accounts"),
        ("depends_on: [a]", "needs: [NAME]"),
        ("write_files: []", "did you mean files?"),
        ("runcmd: [a]", "add a step to `onboot:`"),
        ("packages: [vim]", "component new --from"),
        ("fs_setup: []", "did you mean disks?"),
        # Of the Moby tool of 2017.
        ("system: []", "did you mean onboot?"),
        ("daemon: []", "did you mean services?"),
        ("apiVersion: v1", "Kubernetes"),
        ("ignition: {}", "Ignition"),
        ("networks: [{name: a}]", "below `network:`"),
        ("vars: {}", "did you mean params?"),
        (item("depends_on"), "did you mean needs?"),
        (item("After"), "did you mean needs?"),
        (item("ExecStart"), "did you mean command?"),
        (item("healthcheck"), "did you mean health?"),
        (item("livenessProbe"), "did you mean health?"),
        (item("readinessProbe"), "did you mean ready?"),
        (item("restartPolicy"), "did you mean restart?"),
        (item("env_file"), "env: [NAME=value]"),
        (item("mem_limit"), "below `resources:`"),
        (item("stop_grace_period"), "stop: {timeout: SECONDS}"),
        (item("volumeMounts"), "did you mean binds?"),
        (item("tty"), "finback exec -t"),
        ("files: [{path: a, contents: '', permissions: '0644'}]", "did you mean mode?"),
        ("network: {interfaces: [{name: eth0, gateway4: 192.0.2.1}]}", "routes: [{to: default, via: ADDRESS}]"),
        ("network: {interfaces: [{name: eth0, routes: [{to: default, gw: 192.0.2.1}]}]}", "did you mean via?"),
        (item("priviledged"), "capabilities: [all]"),
        (item("depend_on"), "did you mean needs?"),
        (item("healtcheck"), "did you mean health?"),
        ("machine: {mem: 512}", "did you mean memory?"),
        ("machine: {network: none}", "did you mean networking?"),
        ("tests: [{console: x, url: y}]", "did you mean http?"),
        ("tests: [{console: x, command: y}]", "did you mean exec?"),
        ("tests: [{http: {port: 80, code: 200}}]", "did you mean status?"),
        ("tests: [{http: {port: 80, url: x}}]", "write `port: NUMBER`"),
        ("services: [{name: a, image: b, ready: {tcp: 80, periodSeconds: 5}}]", "known keys"),
        ("network: {interfaces: [{name: eth0, accept-ra: true}]}", "dhcp: ipv6"),
        ("network: {ethernets: {}}", "did you mean interfaces?"),
        ("network: {renderer: networkd}", "remove it"),
        ("x_a: 1", "begin with `x-`"),
        ("X-a: 1", "begin with `x-`"),
        (item("x-a"), "top of the file"),
        # What is neither is looked for in the neighbourhood.
        ("cmdline: x", "belongs below `kernel:`, indented more"),
        ("command: [x]", "belongs below `onboot:`, `onshutdown:` or `services:`, indented more"),
        ("binds: [x]", "belongs below `onboot:`, `onshutdown:` or `services:`, indented more"),
        (item("onboot"), "belongs one level up"),
        ("services.delete: [web]", "services.remove, "),
        ("wombat: 1", "known keys: kernel"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_error_with_the_advice_that_fits(text: str, advice: str) -> None:
    found = problems(text)
    assert [d.code for d in found] == ["F004"]
    assert advice in found[0].help


KEYS = sorted({*fields_of(SpecFile), *fields_of(Item)})


@given(st.sampled_from([k for k in KEYS if len(k) > 3]), st.integers(0, 20), st.sampled_from("abcdefghij"))
def test_a_key_with_one_slip_is_recognised(key: str, place: int, letter: str) -> None:
    at = place % len(key)
    for slip in (
        key[:at] + letter + key[at:],
        key[:at] + key[at + 1 :],
        key[: at - 1] + key[at : at + 1] + key[at - 1 : at] + key[at + 1 :],
    ):
        if at and slip not in KEYS and meant(slip, KEYS) != key:
            # Another key is as near.
            assert meant(slip, [key]) == key


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("params: {host: x}", "`- name: host` and `default: VALUE`"),
        ("secrets: {token: x}", "`- name: token`, and its other keys below that"),
    ],
)
def test_names_with_values_in_the_place_of_a_list(text: str, advice: str) -> None:
    (found,) = problems(text)
    assert found.code == "F002"
    assert advice in found.help


def test_habits_name_keys_that_exist() -> None:
    for mark, words in habit._TABLES.items():
        for stands in words.values():
            if re.fullmatch(r"[A-Za-z]+", stands):
                assert habit.remedy(next(w for w, s in words.items() if s == stands), {mark, stands}) == (
                    f"did you mean {stands}?"
                )
    known = {f"{c}.{k}" for c in (SpecFile, Item) for k in fields_of(c)}
    for cls, mark in ((SpecFile, "services"), (Item, "binds")):
        for stands in habit._TABLES[mark].values():
            assert not re.fullmatch(r"[A-Za-z]+", stands) or f"{cls}.{stands}" in known


def test_keys_for_anchors_hold_anything() -> None:
    text = "x-env: &env [A=1]\nx-any: {a: [{b: ~}], services: 5}\nservices: [{name: a, image: b, env: *env}]"
    assert load_files((Source("t.yml", text),)).spec.services[0].env == ("A=1",)  # type: ignore[index]
    jsonschema.Draft202012Validator(schema()).validate({"x-any": {"a": [None]}, "services": []})
    # Below the root they are keys like others.
    assert [d.code for d in problems("services: [{name: a, image: b, x-env: [A=1]}]")] == ["F004"]


@pytest.mark.parametrize(
    "text", ["", "{}", "# nothing\n", "x-a: 1", "outputs: [{format: tar}]", "trust: {}", "services: []"]
)
def test_a_file_that_describes_nothing_is_refused(text: str) -> None:
    spec = load_files((Source("t.yml", text),)).spec
    assert [d.code for d in check_content(spec)] == ["F097"]
    assert not list(check_content(load_files((Source("t.yml", "files: [{path: a, contents: b}]"),)).spec))
