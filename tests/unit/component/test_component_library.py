from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from finback.component.definition import Keep
from finback.component.glob import pattern
from finback.component.library import Library
from finback.component.module_index import describe, module_name
from finback.component.select import select
from finback.component.unpack import Unpacked
from finback.ground.diagnostic import FinbackError
from finback.ground.platform import Platform
from finback.tree.content import Inline
from finback.tree.entry import Directory, File

MakeElf = Callable[..., bytes]

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = Library((ROOT / "components",))


@pytest.mark.parametrize("name", LIBRARY.names())
def test_every_component_is_sound(name: str) -> None:
    component = LIBRARY.get(name)
    assert not component.definition.summary.endswith(".")
    for architecture in component.architectures:
        component.requirements(Platform("linux", architecture))


@pytest.mark.parametrize(
    ("name", "answer"),
    [("docker.io/linuxkit/init", "init"), ("docker.io/library/nginx", "nginx"), ("docker.io/library/alpine", "alpine"),
     ("docker.io/linuxkit/openntpd", "openntpd"), ("quay.io/x/nginx", None), ("docker.io/finback/nginx", None)],
)  # fmt: skip
def test_names_that_are_answered(name: str, answer: str | None) -> None:
    assert LIBRARY.answering(name) == answer


def test_a_wrong_definition_is_shown_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "component.yml").write_text("summary: s\ncategory: tool\nkeep: {programs: [bin/x]}\n")
    with pytest.raises(FinbackError) as failure:
        Library((tmp_path,)).get("x")
    assert failure.value.diagnostics[0].code == "F040"
    assert failure.value.diagnostics[0].span.line == 2


@pytest.mark.parametrize(
    ("glob", "path", "fits"),
    [("/a/*", "/a/b", True), ("/a/*", "/a/b/c", False), ("/a/**", "/a/b/c", True), ("/a/?.so", "/a/x.so", True),
     ("/a/[xy]", "/a/y", True), ("/a/[!xy]", "/a/y", False), ("/a.b", "/aXb", False), ("/a/**/b", "/a/b", True),
     ("/a/**/b", "/a/x/y/b", True), ("/a/**/b", "/a/xb", False), ("/a/**/b", "/ab", False), ("/**/b", "/b", True),
     ("/a**", "/ab/c", True), ("/a/**", "/a", False), ("/a/[\\d]", "/a/d", True), ("/a/[\\d]", "/a/1", False)],
)  # fmt: skip
def test_globs(glob: str, path: str, fits: bool) -> None:
    assert bool(pattern(glob).match(path)) == fits


def test_modules() -> None:
    assert module_name("kernel/net/nf-tables.ko.xz") == "nf_tables"
    for bad in (b"", b"\x7fELF" + b"\2" * 100):
        with pytest.raises(ValueError):  # noqa: PT011
            describe("x.ko", bad)


def test_data_is_kept_whatever_machine_it_is_for(make_elf: MakeElf) -> None:
    loader = File(path="usr/lib/boot/loader.c32", content=Inline(make_elf(machine=3)))
    unpacked = Unpacked(tree={"usr/lib/boot": Directory(path="usr/lib/boot"), loader.path: loader})
    glob = ("/usr/lib/boot/*.c32",)
    assert select(unpacked, Keep(data=glob), Platform())[loader.path] == loader
    with pytest.raises(FinbackError) as failure:
        select(unpacked, Keep(paths=glob), Platform())
    assert failure.value.diagnostics[0].code == "F145"
    with pytest.raises(FinbackError) as failure:
        select(unpacked, Keep(data=("/usr/lib/none",)), Platform())
    assert failure.value.diagnostics[0].code == "F143"
