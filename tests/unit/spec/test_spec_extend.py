"""Files that extend others, edits of lists, params."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.app.explain import explain
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.ground.source import Source, Span
from finback.resolve.plan import Plan
from finback.spec.decode import fields_of
from finback.spec.edit import identity, operations
from finback.spec.extend import Fetch, Parent, SpecFile
from finback.spec.hint import EDITS
from finback.spec.load import Loaded, load_files
from finback.spec.model import Spec


def fetching(texts: Mapping[str, str]) -> Fetch:
    def fetch(reference: str, span: Span) -> Parent:
        if reference not in texts:
            raise error("F091", f"there is no file {reference}", span, help="write it")
        return Parent(
            reference=reference,
            source=Source(reference, texts[reference]),
            digest=Digest.of(texts[reference].encode()),
        )

    return fetch


def loaded(*texts: str, set: tuple[str, ...] = (), **others: str) -> Loaded:
    sources = [Source(f"{i}.yml", t) for i, t in enumerate(texts)]
    return load_files(sources, fetching({f"{n}.yml": t for n, t in others.items()}), set)


def spec(*texts: str, **others: str) -> Spec:
    return loaded(*texts, **others).spec


def codes(*texts: str, set: tuple[str, ...] = (), **others: str) -> list[str]:
    with pytest.raises(FinbackError) as failure:
        loaded(*texts, set=set, **others)
    assert all(d.help for d in failure.value.diagnostics)
    return [d.code for d in failure.value.diagnostics]


def test_files_are_merged_as_linuxkit_does_it() -> None:
    made = spec(
        "kernel: {image: a, cmdline: x, binary: vmlinuz, tar: k.tar, ucode: u}\ninit: [a, b]",
        "kernel: {image: '', cmdline: y, ucode: ''}\ninit: [c]\nservices: [{name: s, image: i}]",
        "init: [d]\nservices: [{name: t, image: i}]\nfiles: []",
    )
    kernel = made.kernel
    assert kernel is not None
    assert (kernel.image, kernel.cmdline, kernel.binary, kernel.tar, kernel.ucode) == ("a", "y", "vmlinuz", "k.tar", "")
    assert (str(kernel.origin.at("image")), str(kernel.origin.at("cmdline"))) == ("0.yml:1:17", "1.yml:1:30")
    assert made.init == ("a", "b", "c", "d")
    assert [str(made.origin.at("init", i)) for i in range(4)] == ["0.yml:2:8", "0.yml:2:11", "1.yml:2:8", "2.yml:1:8"]
    assert [i.origin.span.source.name for i in made.services or () if i.origin.span] == ["1.yml", "2.yml"]
    assert (made.files, made.onboot) == ((), None)
    trust = spec("trust: {org: [a]}\noutputs: [{format: tar}]", "trust: {org: [b], image: [c]}").trust
    assert trust is not None
    assert (trust.org, trust.image) == (("a", "b"), ("c",))


def test_what_is_extended_comes_first_and_once() -> None:
    made = loaded(
        "extends: [left.yml, right.yml]\ninit: [d]",
        left="extends: base.yml\ninit: [b]",
        right="extends: base.yml\ninit: [c]",
        base="init: [a]\nkernel: {image: k}",
    )
    assert made.spec.init == ("a", "b", "c", "d")
    assert [p.reference for p in made.parents] == ["left.yml", "base.yml", "right.yml"]


def test_edits() -> None:
    base = (
        "init: ['reg:5000/a/init:v1', b]\nonboot: [{name: one, image: i}, {name: two, image: i}]\n"
        "services: [{name: web, image: i, env: [A=1, B=2], binds.add: ['/x:/x'], sysctl: {a: '1', b: '2'}}, "
        "{name: db, image: i}]\nvolumes: [{name: v}]\nfiles: [{path: etc/a, contents: x}]"
    )
    made = spec(
        "extends: base.yml\ninit.replace: {'reg:5000/a/init': c}\ninit.after: {b: [d]}\n"
        "onboot.add: [{name: x, image: i}]\n"
        "onboot.before: {two: [{name: y, image: i}]}\nservices.remove: [db]\nservices: [{name: db, image: j}]\n"
        "services.merge: [{name: web, env.remove: [A], env.add: [C=3], binds.add: ['/y:/y'], sysctl: {b: '3'}, "
        "resources: {pids: {limit: 5}}}]\nvolumes.replace: [{name: v, readonly: true}]\nfiles.remove: [etc/a]",
        base=base,
    )
    assert made.init == ("c", "b", "d")
    assert [i.name for i in made.onboot or ()] == ["one", "y", "two", "x"]
    web, db = made.services or ()
    assert (web.env, web.binds_add, web.sysctl) == (("B=2", "C=3"), ("/x:/x", "/y:/y"), {"a": "1", "b": "3"})
    assert web.resources is not None
    assert str(web.origin.at("image")).startswith("base.yml:3")
    assert str(web.origin.at("env", 1)).startswith("0.yml:8")
    assert db.image == "j"
    assert [v.readonly for v in made.volumes or ()] == [True]
    assert made.files == ()


def test_edits_work_on_files_of_the_command_line_too() -> None:
    made = spec("init: [a, b]", "init.remove: [a]", "init.add: [c]")
    assert made.init == ("b", "c")
    assert codes("init.remove: [a]") == ["F004"]


@pytest.mark.parametrize("key", [k for k, f in fields_of(Spec).items() if f.kind == "list"])
def test_every_list_of_the_model_can_be_edited(key: str) -> None:
    element = fields_of(Spec)[key].cls
    assert set(operations(element)) >= {"remove", "replace", "before", "after", "add"}
    if element.kind == "record":
        assert identity(element.cls)
    assert codes("{}", f"{key}.remove: [none]") == ["F081"]


def test_records_in_lists_of_the_model_without_a_name_can_only_be_added() -> None:
    seen: set[typing.Any] = set()

    def walk(cls: typing.Any) -> None:
        for field in fields_of(cls).values():
            inner = field.cls if field.kind == "list" else field
            if inner.kind == "record" and inner.cls not in seen:
                assert dataclasses.is_dataclass(inner.cls)
                assert operations(inner) in (EDITS, ("add",))
                seen.add(inner.cls)
                walk(inner.cls)

    walk(SpecFile)
    assert len(seen) > 20


def test_merged_mappings_with_merge_keys() -> None:
    base = "services:\n  - &a {name: a, image: i, env: [A=1]}\n  - <<: *a\n    name: b\n"
    made = spec("extends: base.yml\nservices.merge: [{name: b, env.add: [B=2]}]", base=base)
    assert [s.env for s in made.services or ()] == [("A=1",), ("A=1", "B=2")]
    made = spec("extends: base.yml\nservices: [{name: c, image: i}]\nservices.remove: [a]", base=base)
    assert [s.name for s in made.services or ()] == ["b", "c"]
    wrong = "services: [{name: a, image: i, env: [A=1], env: []}]"
    assert codes("extends: base.yml\nservices.merge: [{name: a, uid: 1}]", base=wrong) == ["F005"]


def test_params_have_types_and_values_in_their_order() -> None:
    base = (
        "params: [{name: p, type: int, default: 0x10}, {name: f, type: bool, default: false}, {name: s, default: no},"
        " {name: l, type: list, default: []}]\n"
        "services: [{name: a, image: 'i:${params.s}', uid: '${params.p}', readonly: '${params.f}', "
        "command: '${params.l}', env: ['P=${params.p} ${HOME} $${params.p}']}]"
    )
    middle = "extends: base.yml\nset: {p: 1, l: [x, y]}"
    made = loaded("extends: middle.yml\nset: {p: 2, f: true}", set=("s=v",), middle=middle, base=base)
    (item,) = made.spec.services or ()
    assert (item.uid, item.readonly, item.command, item.image) == (2, True, ("x", "y"), "i:v")
    assert item.env == ("P=2 ${HOME} ${params.p}",)
    rows = {e.key: e for e in explain(made.spec, Plan(name="t", platform=Platform(), epoch=0), made.params)}
    assert rows["services.a.uid"].source == "base.yml:2"
    assert rows["services.a.uid"].params == ("p = 2 (0.yml:2)",)
    assert rows["services.a.image"].params == ("s = v (--set s)",)
    assert rows["services.a.env[0]"].params == ("p = 2 (0.yml:2)",)


def test_params_from_the_command_line() -> None:
    text = (
        "params: [{name: l, type: list}, {name: n, type: int}]\n"
        "services: [{name: a, image: i, command: '${params.l}', uid: '${params.n}'}]"
    )
    (item,) = loaded(text, set=("l=[a, 'b c']", "n=5")).spec.services or ()
    assert (item.command, item.uid) == (("a", "b c"), 5)
    assert codes(text, set=("l=a", "n=x")) == ["F002", "F003"]
    assert codes(text, set=("l=[a]",)) == ["F088"]
    assert codes(text, set=("l=[a]", "n=1", "m=2")) == ["F086"]
    for wrong in ("n", "=x", "a b=c"):
        assert codes(text, set=(wrong,)) == ["F090"]
    assert codes(text, set=("l=[a", "n=1"))[0] == "F001"


def test_a_plain_file_keeps_its_texts() -> None:
    text = "services: [{name: a, image: i, command: [sh, -c, 'echo ${HOME} ${params.x}']}]"
    made = loaded(text)
    assert (made.spec.services or ())[0].command == ("sh", "-c", "echo ${HOME} ${params.x}")
    assert [w.code for w in made.warnings] == ["F055"]
    assert codes(text + "\nparams: []") == ["F086"]


def test_nothing_else_is_read_where_nothing_can_be() -> None:
    with pytest.raises(FinbackError) as failure:
        load_files((Source("t.yml", "extends: base.yml"),))
    assert [d.code for d in failure.value.diagnostics] == ["F091"]


keys = st.sampled_from(
    ["init", "services", "init.remove", "services.merge", "services.remove", "onboot.before", "init.replace", "kernel",
     "trust", "trust.org", "services.add", "params", "set", "extends", "name", "image", "env", "env.add", "<<", "files"]
)  # fmt: skip
scalars = st.sampled_from(["x", "a.yml", "${params.x}", "${params.", "", "~", "1", "true"])
trees = st.recursive(scalars, lambda t: st.lists(t, max_size=3) | st.dictionaries(keys, t, max_size=4), max_leaves=12)


@given(st.lists(st.dictionaries(keys, trees, max_size=5), min_size=1, max_size=3), trees)
def test_anything_is_a_spec_or_has_problems(files: list[object], other: object) -> None:
    sources = [Source(f"{i}.yml", json.dumps(f).replace('"~"', "~")) for i, f in enumerate(files)]
    with contextlib.suppress(FinbackError):
        load_files(sources, fetching({"a.yml": json.dumps(other)}), ())
