from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.debian.relation import Atom, applies, parse

names = st.from_regex(r"[a-z0-9][a-z0-9+.-]{0,8}", fullmatch=True)
versions = st.from_regex(r"[0-9][0-9a-z.+~:-]{0,8}", fullmatch=True)
atoms = st.builds(Atom, names) | st.builds(Atom, names, st.sampled_from(["<<", "<=", "=", ">=", ">>"]), versions)


def test_reads_alternatives_and_versions() -> None:
    assert parse("libc6 (>= 2.38), debconf (>= 0.5) | debconf-2.0 , a(=1:2-3)", "amd64") == (
        (Atom("libc6", ">=", "2.38"),),
        (Atom("debconf", ">=", "0.5"), Atom("debconf-2.0")),
        (Atom("a", "=", "1:2-3"),),
    )


@pytest.mark.parametrize("text", ["", " , ", "a [arm64]", "a [!amd64]", "a [!linux-any]", "a [arm64] | b [s390x]"])
def test_nothing_is_left(text: str) -> None:
    assert parse(text, "amd64") == ()


@pytest.mark.parametrize(
    "text",
    [
        "a:any",
        "a:native",
        "a:amd64",
        "a [amd64]",
        "a [linux-any]",
        "a [!arm64]",
        "a <!nocheck>",
        "a | b [arm64]",
        "\n a ",
    ],
)
def test_qualifiers_that_say_nothing_are_dropped(text: str) -> None:
    assert parse(text, "amd64") == ((Atom("a"),),)


def test_another_architectures_package_is_not_ours() -> None:
    assert parse("wine32:i386 (>= 1) | wine64", "amd64") == ((Atom("wine32:i386", ">=", "1"), Atom("wine64")),)


@pytest.mark.parametrize("text", ["a b", "a (1)", "a (>= )", "|", "a | ", "(>= 1)", "a (>= 1", "ä"])
def test_refuses_what_is_no_relation(text: str) -> None:
    with pytest.raises(ValueError, match="not a relation"):
        parse(text, "amd64")


@pytest.mark.parametrize(
    ("restriction", "architecture", "expected"),
    [
        (None, "amd64", True),
        ("amd64 arm64", "arm64", True),
        ("amd64 arm64", "s390x", False),
        ("!amd64 !arm64", "arm64", False),
        ("!amd64 !arm64", "s390x", True),
        ("any", "riscv64", True),
    ],
)
def test_architecture_restrictions(restriction: str | None, architecture: str, expected: bool) -> None:
    assert applies(restriction, architecture) is expected


@given(st.lists(st.lists(atoms, min_size=1, max_size=3).map(tuple), max_size=4).map(tuple))
def test_reads_what_was_written(written: tuple[tuple[Atom, ...], ...]) -> None:
    text = ", ".join(" | ".join(map(str, alternatives)) for alternatives in written)
    assert parse(text, "amd64") == written
