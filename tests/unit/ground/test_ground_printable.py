"""Text from outside, made safe for a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.ground.printable import Cleaner, printable, printable_line


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain text\tand\nlines", "plain text\tand\nlines"),
        ("caf\u00e9 \u65e5\u672c \u00a0\u2003", "caf\u00e9 \u65e5\u672c \u00a0\u2003"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;2;1;2;3;4:5mred\x1b[m", "red"),
        ("a\x1b[2Jb\x1b[?25lc\x1b[10;20Hd", "abcd"),
        ("a\x1b]0;title\x07b\x1b]52;c;cGF5bG9hZA==\x1b\\c", "abc"),
        ("a\x1bPq#0;2\x1b\\b\x1b_apc\x1b\\c\x1b(0d\x1bce\x1b7f", "abcdef"),
        ("a\x9b31mb", "ab"),
        ("real\rfake\r\nnext", "real\nfake\nnext"),
        ("bell\x07 back\x08 null\0 del\x7f c1\x85", "bell\ufffd back\ufffd null\ufffd del\ufffd c1\ufffd"),
        ("bidi\u202e zero\u200b", "bidi\ufffd zero\ufffd"),
        ("lone \ud800", "lone \ufffd"),
        ("\x1b]0;never ends", "\ufffd]0;never ends"),
        ("\x1b\x1b[31m", "\ufffd"),
    ],
)
def test_text(given: str, shown: str) -> None:
    assert printable(given) == shown


def test_a_line_stays_one() -> None:
    assert printable_line("a\nb\rc\td\x1b[31m") == "a\ufffdb\ufffdc d"


@given(st.text(), st.data())
def test_pieces_give_what_the_whole_gives(text: str, data: st.DataObject) -> None:
    whole = text.encode("utf-8", "replace")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    cleaner = Cleaner()
    parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    got = b"".join(cleaner.clean(p) for p in parts) + cleaner.rest()
    assert got.decode() == printable(whole.decode("utf-8", "replace"))


@given(st.lists(st.sampled_from([*"\x1b[]P\\0;mHq?\x07\x9b\r\n\x00 (a\x18", "\u00e9"])).map("".join), st.data())
def test_nothing_is_left_that_a_terminal_acts_upon(text: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(text)))
    cleaner = Cleaner()
    got = cleaner.clean(text[:cut].encode()) + cleaner.clean(text[cut:].encode()) + cleaner.rest()
    assert got.decode() == printable(text)
    assert all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co") for c in got.decode())


def test_what_is_held_back_is_bounded() -> None:
    cleaner = Cleaner()
    assert len(cleaner.clean(b"\x1b]0;" + b"x" * 10000)) > 10000
