from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.oci import challenge
from finback.oci.challenge import Challenge

TOKENS = st.text(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~", min_size=1, max_size=12)
VALUES = st.text([chr(c) for c in range(0x20, 0x7F)] + ["\t", "é"], max_size=30)
CHALLENGES = st.builds(
    Challenge,
    TOKENS.map(str.lower),
    st.dictionaries(TOKENS.map(str.lower), VALUES, min_size=1, max_size=4),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" , ,", []),
        ("Basic", [Challenge("basic")]),
        ('Basic realm="a b"', [Challenge("basic", {"realm": "a b"})]),
        ("Negotiate YII=", [Challenge("negotiate", token="YII=")]),
        (
            'Bearer realm="https://a/token",service="s",scope="repository:x:pull,push"',
            [Challenge("bearer", {"realm": "https://a/token", "service": "s", "scope": "repository:x:pull,push"})],
        ),
        # RFC 9110, section 11.6.1.
        (
            'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
            [
                Challenge("basic", {"realm": "simple"}),
                Challenge("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
            ],
        ),
        (
            "Basic, Bearer realm = x ,, , Other",
            [Challenge("basic"), Challenge("bearer", {"realm": "x"}), Challenge("other")],
        ),
    ],
)
def test_challenges_are_read_as_the_rfc_has_them(text: str, expected: list[Challenge]) -> None:
    assert list(challenge.parse(text)) == expected


@pytest.mark.parametrize(
    "text", ['Basic realm="', 'Basic realm="a" b', '"a"', "a=b", 'Bearer realm="a",realm="b"', "Basic a=\x00"]
)
def test_what_is_no_list_of_challenges_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|twice"):
        challenge.parse(text)


@given(st.lists(CHALLENGES, max_size=4))
def test_challenges_survive_being_written(challenges: list[Challenge]) -> None:
    assert list(challenge.parse(", ".join(map(str, challenges)))) == challenges


@given(st.text(max_size=200) | st.text('Bearer ="\\, \tx/', max_size=60))
def test_any_text_is_challenges_or_an_error(text: str) -> None:
    try:
        found = challenge.parse(text)
    except ValueError:
        return
    assert challenge.parse(", ".join(map(str, found))) == found
