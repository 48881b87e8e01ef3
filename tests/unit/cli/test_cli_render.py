from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.cli.render import WIDTH, render
from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.source import Source, Span


def diagnostic(text: str = "", column: int = 0, length: int = 1, line: int = 0, **given: Any) -> Diagnostic:
    span = Span(Source("web.yml", text), line, column, length)
    return Diagnostic(**{"code": "F003", "message": "wrong", "span": span, "help": "mend it", **given})


def test_the_form_of_the_design() -> None:
    text = "services:\n" * 5 + "    readonly: yes"
    shown = render(diagnostic(text, 14, 3, line=5, message="expected true or false, got 'yes'", help="write true"))
    assert shown.splitlines() == [
        "web.yml:6:15: error[F003]: expected true or false, got 'yes'",
        "  |",
        "6 |     readonly: yes",
        "  |               ^^^",
        "  = help: write true",
    ]


def test_without_a_place() -> None:
    shown = render(Diagnostic(code="F510", message="no mirror", help="set one\nor another", notes=("a", "b")))
    assert shown.splitlines() == [
        "error[F510]: no mirror",
        "  = note: a",
        "  = note: b",
        "  = help: set one",
        "          or another",
    ]


def test_margins_follow_the_line_number() -> None:
    shown = render(diagnostic("\n" * 99 + "x: y", 3, 1, line=99))
    assert "100 | x: y" in shown.splitlines()
    assert "    |    ^" in shown.splitlines()


def test_a_warning_says_so() -> None:
    assert render(diagnostic("a", severity=Severity.WARNING)).startswith("web.yml:1:1: warning[F003]")


@pytest.mark.parametrize(
    ("text", "column", "length", "caret"),
    [
        ("\tx: yes", 4, 3, "       ^^^"),  # a tab is four columns
        ("name: 日本 x", 6, 2, "      ^^^^"),  # wide characters are two
        ("name: e\u0301a b", 8, 1, "       ^"),  # a combining one is none
        ("\ufeffa: b", 4, 1, "   ^"),  # the byte order mark is not shown
        ("abc", 3, 9, "   ^"),  # past the end
        ("abc", 99, 9, "   ^"),
    ],
)
def test_the_caret_stands_below_what_it_means(text: str, column: int, length: int, caret: str) -> None:
    assert render(diagnostic(text, column, length)).splitlines()[3] == f"  | {caret}"


def test_long_lines_are_cut_around_the_place() -> None:
    shown = render(diagnostic("x" * 500 + "HERE" + "y" * 500, 500, 4)).splitlines()
    excerpt, caret = shown[2][4:], shown[3][4:]
    assert excerpt[caret.index("^") : caret.rindex("^") + 1] == "HERE"
    assert excerpt[0] == excerpt[-1] == "…"
    assert len(excerpt) <= WIDTH + 2


def test_a_long_underline_ends_with_the_excerpt() -> None:
    shown = render(diagnostic("x" * 1000, 0, 1000)).splitlines()
    assert len(shown[3]) <= WIDTH + 6


def test_a_line_without_content_is_not_shown() -> None:
    assert render(diagnostic("", message="the file lacks `name`")).splitlines() == [
        "web.yml:1:1: error[F003]: the file lacks `name`",
        "  = help: mend it",
    ]


def test_colours_change_no_text() -> None:
    given = diagnostic("a: b\n", 3, notes=("n",))
    coloured = render(given, colour=True)
    assert "\x1b[1;31m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render(given)
    assert "\x1b[1;33m" in render(diagnostic("a", severity=Severity.WARNING), colour=True)


@given(st.text(), st.text(), st.integers(0, 50), st.integers(0, 50))
def test_nothing_reaches_the_terminal_but_text(text: str, name: str, column: int, length: int) -> None:
    span = Span(Source(name, text), 0, column, length)
    shown = render(Diagnostic(code="F001", message=text, span=span, help=text, notes=(text,)))
    assert all(c == "\n" or c.isprintable() for c in shown.replace("\u3000", " "))
    shown.encode()
