from __future__ import annotations

from typing import Any

import pytest
import yaml

from finback.ground.diagnostic import FinbackError
from finback.ground.source import Source
from finback.spec import node

CASES = [
    ("a:\n\tb: 1\n", 2, 1, "indented with a tab", "spaces"),
    ("a:\n  - b\n\tc: d\n", 3, 1, "indented with a tab", "spaces"),
    ("a: @b c\n", 1, 4, "can't begin with `@`", '"@b c"'),
    ("a: `b\n", 1, 4, "can't begin with ```", '"`b"'),
    ("a: %b\n", 1, 4, "can't begin with `%`", '"%b"'),
    ('a: "\\q"\n', 1, None, "no such escape", "single quotes"),
    ("a: b: c\n", 1, 5, "a second `: `", "a: 'b: c'"),
    ("a: it's b: c\n", 1, 10, "a second `: `", 'a: "..."'),
    ("a:b\nc: d\n", 1, 1, "no space follows", "`a: b`"),
    ("a\nb: 1\n", 1, 1, "no colon", "`a:`"),
    ("a: 1\n  b: 2\n", 2, 3, "line 1 has a value already", "line 1"),
    ("a:\n  b: 1\n  c 2\nd: 3\n", 3, 3, "`c` is followed by no colon", "key: value"),
    ("- a\n-b\n", 2, 1, "`-b` is not a list element", "`- b`"),
    ("a: 'b\nc: d\n", 1, 4, "never closed", "closing quote"),
    ("a: [1, 2\nb: 3\n", 1, 4, "`[` that begins here", "add `]`"),
    ("a: {b: 1\nc: 2\n", 1, 4, "`{` that begins here", "add `}`"),
    ('a: ["b" "c"]\n', 1, 9, "a comma or `]` is missing", "separate"),
    ("a: 'b' c\n", 1, 8, "went on after", "one pair of quotes"),
    ("s:\n  - n: x\n   i: y\n", 3, 4, "the list that begins on line 2", "indent it by 4"),
    ("- a\nb: 1\n", 2, 1, "the list that begins on line 1", "indent it by 2"),
    ("a:\n  - b\n - c\n", 3, 2, "the mapping that begins on line 1", "indented by 1"),
    ("a: 1\n...\nb: 2\n", 3, 1, "after the end", "one document"),
    ("a: 1\n---\nb: 2\n", 2, 1, "second document", "merges"),
    ("image: @pkg:../x\n", 1, 8, "LinuxKit package template", "finback/init"),
]


@pytest.mark.parametrize("parser", [yaml.CBaseLoader, yaml.BaseLoader], ids=["libyaml", "pure"])
@pytest.mark.parametrize(("text", "line", "column", "message", "remedy"), CASES, ids=[repr(c[0])[:25] for c in CASES])
def test_the_slip_is_named_and_shown(
    monkeypatch: pytest.MonkeyPatch, parser: Any, text: str, line: int, column: int | None, message: str, remedy: str
) -> None:
    monkeypatch.setattr(node, "_PARSER", parser)
    with pytest.raises(FinbackError) as caught:
        node.compose(Source("t.yml", text))
    (found,) = caught.value.diagnostics
    assert found.code == ("F031" if "@pkg" in text else "F001")
    assert message in found.message
    assert remedy in found.help
    assert found.span.line + 1 == line
    # The two parsers differ by one column in what they call the place of an escape.
    assert column is None or found.span.column + 1 == column


def test_what_no_rule_knows_is_said_as_the_parser_says_it() -> None:
    with pytest.raises(FinbackError, match="not YAML: found incompatible YAML document") as caught:
        node.compose(Source("t.yml", "%YAML 3.0\n---\na: 1\n"))
    assert caught.value.diagnostics[0].help
