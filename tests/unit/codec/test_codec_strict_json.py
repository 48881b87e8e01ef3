from __future__ import annotations

import time

import pytest

from finback.codec import strict_json
from finback.codec.strict_json import DEPTH, JsonError

REFUSED = {
    "[" * 20_000: "nests more than",
    '{"a":' * 20_000: "nests more than",
    "[" * (DEPTH + 1) + "]" * (DEPTH + 1): "nests more than",
    "[NaN]": "NaN",
    "[Infinity]": "Infinity",
    "-Infinity": "Infinity",
    "1e999": "larger than a double",
    "1" * 5_000: "5000 characters",
    "0." + "1" * 5_000: "too long",
    '{"a": 1, "a": 2}': "'a' occurs twice",
    '"\\u0000"': "NUL",
    '"\\ud800"': "surrogate",
    '{"\\udfff": 1}': "surrogate",
    "": "not JSON",
    "nul": "not JSON",
    '"a': "not JSON",
    "[1,]": "not JSON",
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_is_outside_the_subset_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(JsonError, match=reason):
        strict_json.plain(text)


def test_other_encodings_and_large_documents_are_refused() -> None:
    with pytest.raises(JsonError, match="UTF-8"):
        strict_json.plain('{"a": 1}'.encode("utf-16"))
    with pytest.raises(JsonError, match="more than 10"):
        strict_json.plain(b'"0123456789"', limit=10)


def test_brackets_in_strings_are_no_depth() -> None:
    text = "[" * 100 + '{\\"'
    assert strict_json.plain(f'["{text}", "\\\\", "{text}"]') == ["[" * 100 + '{"', "\\", "[" * 100 + '{"']


@pytest.mark.parametrize("piece", ['"', '"a', '"\\', '\\"', '["', "[]", '{"a":', '"[\\\\'])
def test_the_time_grows_with_the_text(piece: str) -> None:
    began = time.process_time()
    with pytest.raises(JsonError):
        strict_json.plain("[" * 65 + piece * 400_000)
    assert time.process_time() - began < 2


def test_accessors_name_the_place() -> None:
    root = strict_json.read('{"a": [{"b": "x"}], "n": 5, "t": true, "z": null, "f": 1.5}')
    assert root.get("a").items()[0].get("b").text() == "x"
    assert root.get("n").integer() == 5
    assert root.get("f").number() == 1.5
    assert root.get("t").boolean() is True
    assert root.get("z").text("default") == "default"
    assert root.get("absent").items() == []
    assert not root.get("z")
    wrong = {
        r"\$\.a\[0\]\.b is a string, and should be an integer": lambda: root.get("a").items()[0].get("b").integer(),
        r"\$\.n is a number, and should be a string": lambda: root.get("n").text(),
        r"\$\.t is true, and should be an integer": lambda: root.get("t").integer(),
        r"\$\.f is a number, and should be an integer": lambda: root.get("f").integer(),
        r"\$\.n is 5, not between 6 and 7": lambda: root.get("n").integer(low=6, high=7),
        r"\$\.z is absent": lambda: root.need("z"),
        r"\$\.a is an array, and should be an object": lambda: root.get("a").get("x"),
        r"\$\.n is a number, and should be true or false": lambda: root.get("n").boolean(),
    }
    for message, act in wrong.items():
        with pytest.raises(JsonError, match=message):
            act()
