from __future__ import annotations

import pytest

from finback.oci.flatten import flatten
from finback.tree.content import Inline
from finback.tree.entry import Directory, File, HardLink, Symlink


def f(path: str, data: bytes = b"") -> File:
    return File(path=path, content=Inline(data))


def test_flatten_applies_whiteouts_and_opaque_directories() -> None:
    lower = [f("a/1"), f("a/2"), f("b/1"), f("c")]
    upper = [f("a/.wh.1"), f("b/.wh..wh..opq"), f("b/2"), f("c", b"new")]
    tree = flatten([lower, upper])
    assert [e.path for e in tree] == ["a", "a/2", "b", "b/2", "c"]
    assert tree[-1].content == Inline(b"new")


def test_flatten_puts_directories_first_and_supplies_parents() -> None:
    tree = flatten([[f("x/y/z"), Directory(path="x", mode=0o700)]])
    assert [(e.path, e.mode) for e in tree] == [("x", 0o700), ("x/y", 0o755), ("x/y/z", 0o644)]


def test_flatten_keeps_a_hard_link_whose_target_goes() -> None:
    tree = flatten([[f("a", b"1")], [HardLink(path="b", target="a"), f(".wh.a")]])
    assert tree == [f("b", b"1")]


def test_flatten_replaces_directory_by_file_and_refuses_files_below_files() -> None:
    assert [e.path for e in flatten([[f("d/x")], [f("d")]])] == ["d"]
    with pytest.raises(ValueError, match="no directory"):
        flatten([[Symlink(path="d", target="/etc")], [f("d/passwd")]])
