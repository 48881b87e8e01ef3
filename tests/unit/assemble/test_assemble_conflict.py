"""What contradicts itself in a tree is refused, with lines, before a format writes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from finback.assemble import build as assembling
from finback.assemble.conflict import findings
from finback.codec import tar
from finback.ground.diagnostic import Diagnostic, FinbackError
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.ground.source import Source
from finback.host.store import Store
from finback.oci import image
from finback.resolve.plan import FilePlan, ImagePin, Plan
from finback.spec.load import load_files
from finback.tree.content import Inline, read_inline
from finback.tree.entry import AnyEntry, Directory, File, Symlink

SYSTEM = [
    Directory(path="bin"),
    File(path="bin/sh", content=Inline(b"x")),
    Directory(path="etc"),
    File(path="etc/motd", content=Inline(b"x")),
    Directory(path="etc/conf.d"),
    Directory(path="usr"),
    Directory(path="usr/lib"),
    Symlink(path="lib", target="usr/lib"),
    Symlink(path="etc/gone", target="/nowhere"),
]


def pin(store: Store, entries: list[AnyEntry], name: str = "init") -> ImagePin:
    with store.ingest() as ingest:
        for chunk in tar.encode(entries, read_inline):
            ingest.write(chunk)
    return ImagePin(
        reference=name, digest=image.write(store, [ingest.digest], {"os": "linux", "architecture": "amd64"})
    )


def found(store: Store, files: list[FilePlan], *images: ImagePin) -> list[Diagnostic]:
    numbered = tuple(replace(f, index=i) for i, f in enumerate(files))
    plan = Plan(name="t", platform=Platform(), epoch=0, init=images or (pin(store, SYSTEM),), files=numbered)
    return list(findings(assembling.build(plan, store), store))


def text(path: str) -> FilePlan:
    return FilePlan(index=0, path=path, content=Digest.of(b""), size=0)


def folder(path: str) -> FilePlan:
    return FilePlan(index=0, path=path, directory=True, mode=0o755)


def link(path: str, target: str) -> FilePlan:
    return FilePlan(index=0, path=path, symlink=target, mode=0o777)


@pytest.mark.parametrize(
    "files",
    [
        [text("etc/x"), text("etc/x/y")],
        [text("etc/x/y"), text("etc/x")],
        [folder("etc/x"), text("etc/x")],
        [text("etc/x"), folder("etc/x")],
        [link("etc/x", "/srv"), text("etc/x/y")],
        [text("etc/x/y"), link("etc/x", "/srv")],
        [text("usr")],
        [text("etc")],
        [link("etc", "/srv")],
        [text("bin/sh/x")],
        [text("lib")],
        [folder("lib")],
        [link("lib", "/srv")],
        [text("etc/gone/x")],
        [text("etc/conf.d")],
        [text("etc/finback/plan.json")],
        [text("etc/finback")],
    ],
)
def test_contradictions(files: list[FilePlan], tmp_path: Path) -> None:
    store = Store(tmp_path)
    problems = found(store, files)
    assert [d.code for d in problems] == ["F057"]
    assert problems[0].notes
    # What is remembered of images gives the same.
    assert found(store, files) == problems


@pytest.mark.parametrize(
    "files",
    [
        [text("etc/motd"), text("etc/motd")],
        [folder("etc/conf.d"), text("etc/conf.d/a"), folder("etc/conf.d")],
        [text("srv/a/b/c"), folder("srv/a")],
        [text("lib/modules.conf"), text("usr/lib/other")],
        [link("etc/motd", "/run/motd")],
        [link("lib", "usr/lib")],
        [folder("dev"), folder("usr")],
        [text("etc/gone")],
    ],
)
def test_no_contradictions(files: list[FilePlan], tmp_path: Path) -> None:
    assert found(Store(tmp_path), files) == []


@pytest.mark.parametrize(
    ("files", "help"),
    [
        ([link("a", "b"), link("b", "c/d"), text("a/x")], "meant: c/d/x"),
        ([link("a/b", "../../../srv"), text("a/b/x/y")], "meant: srv/x/y"),
        ([link("a", "a"), text("a/x")], "circle"),
        ([link("a", "b"), link("b", "/a"), text("a/x")], "circle"),
    ],
)
def test_the_path_that_is_meant(files: list[FilePlan], help: str, tmp_path: Path) -> None:
    (problem,) = found(Store(tmp_path), files)
    assert help in problem.help


def test_images_that_contradict_each_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = pin(store, SYSTEM, "first")
    second = pin(store, [Directory(path="usr"), File(path="usr/lib", content=Inline(b"x"))], "second")
    assert found(store, [], first, second) == []
    full = pin(store, [*SYSTEM, File(path="usr/lib/a", content=Inline(b"x"))], "full")
    problems = found(store, [], full, second)
    assert [d.code for d in problems] == ["F057"]
    assert "usr/lib is a folder of full, and a file of second" in problems[0].message


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ("{path: etc/x, contents: a}, {path: /etc//x/./y, contents: a}", "F057"),
        ("{path: etc/x, symlink: /srv}, {path: etc/x/y, contents: a}", "F057"),
        ("{path: etc/x, directory: true}, {path: etc/x, contents: a}", "F057"),
        ("{path: dev/x, contents: a}", "F056"),
        ("{path: /proc/sys/x, contents: a}", "F056"),
        ("{path: sys/a/b, directory: true}", "F056"),
        ("{path: sys, symlink: /srv}", "F056"),
    ],
)
def test_contradictions_of_the_text_have_lines(items: str, code: str) -> None:
    with pytest.raises(FinbackError) as failure:
        load_files((Source("t.yml", f"files: [{items}]"),))
    assert [d.code for d in failure.value.diagnostics] == [code]
    assert failure.value.diagnostics[0].span is not None
