from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.ground.diagnostic import FinbackError
from finback.oci.configuration import Configuration
from finback.spec import label
from finback.spec.model import BindNS, Interface, Item, Mount, Runtime, Settings

CONFIG = Configuration(entrypoint=("/e",), arguments=("c",), environment=("A=1",), folder="/w", user="5")


def item(**given: Any) -> Item:
    return Item(name="n", image="i", **given)


def test_json_and_yaml() -> None:
    expected = Settings(
        capabilities=("CAP_CHOWN",), readonly=True, oom_score_adj=-800, annotations={"a": "/\U0001f600"}
    )
    text = {"capabilities": ["CAP_CHOWN"], "readonly": True, "oomScoreAdj": -800, "annotations": {"a": "/\U0001f600"}}
    assert label.parse(json.dumps(text).replace("/", "\\/"), "x") == expected
    assert label.parse(json.dumps(text, indent="\t"), "x") == expected
    assert (
        label.parse("capabilities: [CAP_CHOWN]\nreadonly: true\noomScoreAdj: -800\nannotations: {a: /\U0001f600}", "x")
        == expected
    )
    assert label.parse("", "x") == label.parse("{}", "x") == Settings()


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ('{"name": "x"}', "unknown key 'name'"),
        ('{"image": "x"}', "unknown key 'image'"),
        ('{"capabilities": ["NET_ADMIN"], "readonly": "yes"}', "line 5"),
        ('{"capabilities": ["NET_ADMIN"]}', "there is no capability 'NET_ADMIN' (line 3)"),
        ("{", "never closed"),
        ("[1]", "mapping"),
        ("\udcff", "UTF-8"),
        ("[" * 100_000, "levels"),
    ],
)
def test_a_wrong_label_is_the_images_fault(text: str, note: str) -> None:
    with pytest.raises(FinbackError) as caught:
        label.parse(text, "docker.io/x/y:1")
    (found,) = caught.value.diagnostics
    assert found.code == "F126"
    assert "docker.io/x/y:1" in found.message
    assert any(note in n for n in found.notes), found.notes
    assert found.help
    assert found.span is None


@given(st.text())
def test_any_text_is_a_label_or_an_error(text: str) -> None:
    with contextlib.suppress(FinbackError):
        label.parse(text, "x")


def test_the_image_gives_what_nobody_else_does() -> None:
    made = label.effective(item(), None, CONFIG)
    assert made == Settings(command=("/e", "c"), env=("A=1",), cwd="/w")
    assert type(made) is Settings
    assert label.effective(item(), None, Configuration()) == Settings(cwd="/")


def test_the_label_comes_before_the_image_and_the_item_before_the_label() -> None:
    given = Settings(
        command=("l",), env=("L=1",), cwd="/l", net="new", uid=7, readonly=True, sysctl={"a": "1"}, binds=("/l:/l",)
    )
    assert label.effective(item(), given, CONFIG) == given
    own = item(command=("i",), env=("I=1",), cwd="/i", net="host", uid=0, readonly=False, sysctl={}, binds=())
    made = label.effective(own, given, CONFIG)
    assert made == Settings(
        command=("i",), env=("I=1",), cwd="/i", net="host", uid=0, readonly=False, sysctl={}, binds=()
    )


def test_an_empty_text_is_not_given_and_an_empty_list_clears() -> None:
    given = Settings(cwd="/l", net="new", hostname="h", command=("l",), env=("L=1",), capabilities=("CAP_KILL",))
    made = label.effective(item(cwd="", net="", hostname="", command=(), env=(), capabilities=()), given, CONFIG)
    assert made == Settings(cwd="/l", net="new", hostname="h", command=(), env=(), capabilities=())


@pytest.mark.parametrize(
    ("base", "added", "made"),
    [
        (("CAP_KILL",), ("CAP_CHOWN", "CAP_KILL"), ("CAP_KILL", "CAP_CHOWN")),
        (None, ("CAP_CHOWN",), ("CAP_CHOWN",)),
        (("all",), ("CAP_CHOWN",), ("all",)),
        (("CAP_KILL",), ("ALL",), ("all",)),
        (("none",), ("CAP_CHOWN",), ("CAP_CHOWN",)),
        (("none",), ("none",), ("none",)),
    ],
)
def test_added_capabilities(base: tuple[str, ...] | None, added: tuple[str, ...], made: tuple[str, ...]) -> None:
    assert (
        label.effective(item(capabilities_add=added), Settings(capabilities=base), Configuration()).capabilities == made
    )


def test_added_binds_and_what_replaces_them() -> None:
    base = Settings(binds=("/a:/a",), binds_add=("/x:/x",), capabilities_add=("CAP_KILL",))
    made = label.effective(item(binds_add=("/b:/b",)), base, Configuration())
    assert made == Settings(binds=("/a:/a", "/b:/b"), cwd="/")
    assert label.effective(item(binds=("/c:/c",), binds_add=("/b:/b",)), base, Configuration()).binds == ("/c:/c",)


def test_runtime_is_merged_field_by_field_and_its_namespaces_one_by_one() -> None:
    base = Settings(
        runtime=Runtime(
            mkdir=("/a",), cgroups=("c",), mounts=(Mount(destination="/m", type="tmpfs"),), namespace="one",
            bind_ns=BindNS(net="/n", pid="/p"),
        )
    )  # fmt: skip
    own = item(runtime=Runtime(mkdir=(), interfaces=(Interface(name="wg0"),), bind_ns=BindNS(net="/own")))
    assert label.effective(own, base, Configuration()).runtime == Runtime(
        mkdir=(), cgroups=("c",), mounts=(Mount(destination="/m", type="tmpfs"),), namespace="one",
        interfaces=(Interface(name="wg0"),), bind_ns=BindNS(net="/own", pid="/p"),
    )  # fmt: skip
    assert label.effective(item(), base, Configuration()).runtime == base.runtime
    assert label.effective(own, None, Configuration()).runtime == own.runtime
