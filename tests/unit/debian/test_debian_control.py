from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.debian import control

names = st.from_regex(r"[A-Z][A-Za-z0-9-]{0,10}", fullmatch=True)
lines = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
values = st.lists(lines, min_size=1, max_size=3).map("\n".join)


def test_reads_fields_and_continuations() -> None:
    text = "Package: a\nDescription: short\n long\n .\n  indented\nEmpty:\n"
    assert control.paragraph(text.splitlines()) == {
        "Package": "a",
        "Description": "short\nlong\n.\n indented",
        "Empty": "",
    }


def test_blank_lines_part_and_comments_are_skipped() -> None:
    text = "\n# first\nA: 1\n# inside\nB: 2\n\n  \n\nA: 3"
    assert list(control.paragraphs(text.splitlines())) == [{"A": "1", "B": "2"}, {"A": "3"}]


@pytest.mark.parametrize("text", [" lost", "no colon", "\ttab"])
def test_refuses_what_is_no_paragraph(text: str) -> None:
    with pytest.raises(ValueError, match="field"):
        control.paragraph([text])


def test_reads_one_paragraph_at_a_time() -> None:
    def endless() -> Iterator[str]:
        yield "A: 1"
        yield ""
        raise AssertionError("read further than was asked for")

    assert next(control.paragraphs(endless())) == {"A": "1"}


def test_refuses_an_endless_paragraph() -> None:
    line = " " + "x" * 65535
    with pytest.raises(ValueError, match="longer"):
        list(control.paragraphs(("A:" if n == 0 else line) for n in range(1000)))


@given(st.lists(st.dictionaries(names, values, min_size=1, max_size=4), max_size=4))
def test_reads_what_was_written(written: list[dict[str, str]]) -> None:
    text = "\n\n".join("\n".join(f"{k}: {v.replace(chr(10), chr(10) + ' ')}" for k, v in p.items()) for p in written)
    assert list(control.paragraphs(text.split("\n"))) == written
