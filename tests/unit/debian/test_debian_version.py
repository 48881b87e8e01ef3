from __future__ import annotations

import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.debian import version

# Policy 5.6.12's own examples and the pairs that implementations get wrong.
ORDERED = (
    ("1.0~~", "1.0~~a"), ("1.0~~a", "1.0~"), ("1.0~", "1.0"), ("1.0", "1.0a"), ("1.0a", "1.0+b"), ("1.2", "1.10"),
    ("9", "1:0"), ("1.0-1", "1.0-1+b1"), ("1.0-1~bpo12+1", "1.0-1"), ("1", "1.0"), ("1.0", "1.0-1"), ("1-1", "1-1.1"),
    ("2.41-12", "2.41-12+deb13u1"), ("1.0-rc1-2", "1.0-rc1-10"), ("1.0.z", "1.0.+"), ("0~", "0"),
)  # fmt: skip
EQUAL = (("1.0", "0:1.0"), ("1.0", "1.00"), ("1.0", "1.0-0"), ("0", "0:0-0"), ("a", "a0"), ("1.", "1.0"))

versions = st.from_regex(r"([0-3]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{1,4})?", fullmatch=True)


@pytest.mark.parametrize(("older", "newer"), ORDERED)
def test_orders(older: str, newer: str) -> None:
    assert version.key(older) < version.key(newer)
    assert version.satisfies(older, "<<", newer)
    assert version.satisfies(newer, ">=", older)
    assert not version.satisfies(newer, "=", older)


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal(one: str, other: str) -> None:
    assert version.key(one) == version.key(other)


@pytest.mark.parametrize("operator", ["<=", ">=", "=", "<", ">"])
def test_equal_versions_satisfy_every_operator_but_the_strict_ones(operator: str) -> None:
    assert version.satisfies("1", operator, "1")
    assert not version.satisfies("1", "<<", "1")
    assert not version.satisfies("1", ">>", "1")


@pytest.mark.parametrize("text", ["x:1", ":1", "-1:1", "\N{ARABIC-INDIC DIGIT ONE}:1"])
def test_refuses_a_bad_epoch(text: str) -> None:
    with pytest.raises(ValueError, match="epoch"):
        version.key(text)


def test_refuses_an_unknown_operator() -> None:
    with pytest.raises(ValueError, match="relation"):
        version.satisfies("1", "==", "1")


@given(versions, versions)
def test_agrees_with_the_algorithm_as_written_in_the_manual(a: str, b: str) -> None:
    assert (version.key(a) > version.key(b)) - (version.key(a) < version.key(b)) == _compare(a, b)


@given(st.lists(versions, max_size=6))
def test_is_a_total_order(items: list[str]) -> None:
    assert sorted(items, key=version.key) == sorted(items, key=functools.cmp_to_key(_compare))


def _compare(a: str, b: str) -> int:
    """deb-version(7), section "Sorting algorithm", transcribed step by step."""
    for x, y in zip(_split(a), _split(b), strict=True):
        result = _compare_part(x, y)
        if result:
            return result
    return 0


def _split(text: str) -> tuple[str, str, str]:
    epoch, rest = text.split(":", 1) if ":" in text else ("0", text)
    upstream, revision = rest.rsplit("-", 1) if "-" in rest else (rest, "0")
    return epoch, upstream, revision


def _compare_part(a: str, b: str) -> int:
    while a or b:
        while (a and not a[0].isdigit()) or (b and not b[0].isdigit()):
            x, y = _weight(a), _weight(b)
            if x != y:
                return 1 if x > y else -1
            a, b = a[1:], b[1:]
        i = next((n for n, c in enumerate(a) if not c.isdigit()), len(a))
        j = next((n for n, c in enumerate(b) if not c.isdigit()), len(b))
        x, y = int(a[:i] or 0), int(b[:j] or 0)
        if x != y:
            return 1 if x > y else -1
        a, b = a[i:], b[j:]
    return 0


def _weight(text: str) -> int:
    if not text or text[0].isdigit():
        return 0
    if text[0] == "~":
        return -1
    return ord(text[0]) if text[0].isalpha() else ord(text[0]) + 256
