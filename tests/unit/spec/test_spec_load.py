from __future__ import annotations

import contextlib
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.ground.diagnostic import FinbackError, Severity
from finback.ground.source import Source
from finback.oci.configuration import Configuration
from finback.spec import dump, label
from finback.spec.check import allocate_ids
from finback.spec.load import load_all, load_spec
from finback.spec.model import Item, Settings, Spec
from finback.spec.schema import schema

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures" / "linuxkit").glob("*.yml"))


def load(text: str) -> Spec:
    return load_spec(Source("t.yml", text))


def codes(text: str) -> list[str]:
    with pytest.raises(FinbackError) as failure:
        load(text)
    return [d.code for d in failure.value.diagnostics]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_every_linuxkit_file_loads_and_comes_back_from_its_dump(path: Path) -> None:
    spec = load(path.read_text())
    assert load(dump.to_yaml(spec)) == spec
    assert load(dump.to_json(spec)) == spec
    jsonschema.Draft202012Validator(schema()).validate(dump.plain(spec))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$defs"]["Item"]["properties"]["oomScoreAdj"]


def test_the_field_decides_the_type() -> None:
    spec = load("services: [{name: no, image: 1.20, uid: 0x10, env: [1, on], readonly: true}]")
    item = spec.services[0]
    assert (item.name, item.image, item.uid, item.env, item.readonly) == ("no", "1.20", 16, ("1", "on"), True)


def test_positions_are_kept() -> None:
    spec = load("services:\n  - name: a\n    image: b\n    binds:\n      - /x:/y\n")
    span = spec.services[0].origin.at("binds", 0)
    assert (span.line, span.column, span.length) == (4, 8, 5)


def test_resources_keep_the_specifications_spelling() -> None:
    resources = "{memory: {kernelTCP: 1, disableOOMKiller: true}, cpu: {realtimePeriod: 2}}"
    text = f"services: [{{name: a, image: b, resources: {resources}}}]"
    resources = load(text).services[0].resources
    assert (resources.memory.kernel_tcp, resources.memory.disable_oom_killer, resources.cpu.realtime_period) == (
        1,
        True,
        2,
    )


def test_all_problems_come_at_once() -> None:
    text = "services:\n - name: a\n   imag: b\n   readonly: yes\n   oomScoreAdj: x\n   binds: /a:/b\nkernel: 1\n"
    assert {"F002", "F003", "F004"} <= set(codes(text))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: [", "F001"),
        ("a: 1\n---\nb: 2\n", "F001"),
        ("\tkernel: {}", "F001"),
        ("init: [a]\ninit: [b]", "F005"),
        ("init: ['@pkg:./x']", "F031"),
        ("init: [UPPER]", "F030"),
        ("services: [{name: a, image: b}, {name: a, image: b}]", "F033"),
        ("services: [{name: a/b, image: b}]", "F034"),
        ("services: [{name: a, image: b, capabilities: [CAP_SYS_ADMN]}]", "F035"),
        ("services: [{name: a, image: b, rlimits: ['nofile,1']}]", "F036"),
        ("services: [{name: a, image: b, binds: ['/a']}]", "F037"),
        ("services: [{name: a, image: b, binds: ['data:/a']}]", "F038"),
        ("volumes: [{name: d, readonly: true}]\nservices: [{name: a, image: b, binds: ['d:/a']}]", "F039"),
        ("services: [{name: a, image: b, mounts: [{destination: /x}]}]", "F042"),
        ("services: [{name: a, image: b, devices: [{path: /dev/x, type: b}]}]", "F043"),
        ("services: [{name: a, image: b, devices: [{path: /dev/x, type: q}]}]", "F007"),
        ("files: [{path: a, mode: '999', contents: ''}]", "F044"),
        ("files: [{path: ../a, contents: ''}]", "F045"),
        ("files: [{path: a}]", "F046"),
        ("files: [{path: a, contents: x, source: y}]", "F046"),
        ("services: [{name: a, image: b, uid: nobody}]", "F021"),
    ],
)
def test_each_mistake_has_its_code_and_a_remedy(text: str, code: str) -> None:
    with pytest.raises(FinbackError) as failure:
        load(text)
    first = failure.value.diagnostics[0]
    assert first.code == code
    assert first.help
    assert failure.value.status == 1


@given(st.text(max_size=200))
def test_any_text_is_a_spec_or_an_error(text: str) -> None:
    with contextlib.suppress(FinbackError):
        load(text)


def test_aliases_cannot_blow_up() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}, *a{i - 1}]" for i in range(1, 12)]
    assert "F004" in codes("\n".join(lines))
    assert codes("init: " + "[" * 5000 + "]" * 5000)[0] in ("F001", "F002", "F008")


def test_merging_joins_lists_and_lets_later_values_win() -> None:
    one = Source("1.yml", "kernel: {image: a, cmdline: x, ucode: u.cpio}\ninit: [i]\nvolumes: [{name: d}]")
    two = Source(
        "2.yml", "kernel: {cmdline: y, ucode: ''}\ninit: [j]\nservices: [{name: s, image: t, binds: ['d:/d']}]"
    )
    spec, _ = load_all((one, two))
    assert (spec.kernel.image, spec.kernel.cmdline, spec.kernel.ucode) == ("a", "y", "")
    assert spec.init == ("i", "j")
    assert str(spec.origin.at("init", 1)).startswith("2.yml:2")


def test_the_talk_is_warned_of_its_missing_network() -> None:
    talk = next(p for p in FIXTURES if p.stem == "talk")
    _, warnings = load_all((Source("talk.yml", talk.read_text()),))
    assert [(w.code, w.severity) for w in warnings] == [("F052", Severity.WARNING)]
    assert "network" in warnings[0].message


def test_ids_count_from_100() -> None:
    spec = load("onboot: [{name: a, image: x}]\nonshutdown: [{name: b, image: x}]\nservices: [{name: c, image: x}]")
    assert allocate_ids(spec) == {"a": 100, "b": 101, "c": 102}


def test_settings_come_from_item_then_label_then_image() -> None:
    config = Configuration(entrypoint=("/e",), arguments=("c",), environment=("A=1",), folder="/w")
    defaults = label.parse('{"capabilities": ["CAP_CHOWN"], "binds": ["/a:/a"], "readonly": true}', "x")
    item = Item(name="n", image="i", capabilities_add=("CAP_KILL",), readonly=False, binds=())
    made = label.effective(item, defaults, config)
    assert made.command == ("/e", "c")
    assert made.capabilities == ("CAP_CHOWN", "CAP_KILL")
    assert (made.readonly, made.binds, made.env, made.cwd) == (False, (), ("A=1",), "/w")
    assert label.effective(Item(name="n", image="i"), Settings(command=("l",)), config).command == ("l",)
