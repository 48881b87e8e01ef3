"""The page on configuration lists every environment variable that the code reads, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Read by libraries, or from names that the code puts together.
ELSEWHERE = {"http_proxy", "https_proxy"}
# The other spelling of a variable that is listed, or Click's own for completion.
SPELLINGS = {"NO_PROXY", "ALL_PROXY", "FINBACK_COMPLETE"}
READERS = ("lookup", "environment.lookup", "os.environ.get", "os.getenv", "_switch", "_xdg", "environ.get")


def read_variables() -> Iterator[str]:
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            values = [node.args[0]] if node.args and ast.unparse(node.func) in READERS else []
            for keyword in node.keywords:
                if keyword.arg == "envvar":
                    values += keyword.value.elts if isinstance(keyword.value, ast.List) else [keyword.value]
            yield from (v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str))


def test_the_page_lists_what_the_code_reads() -> None:
    page = (ROOT / "docs/reference/configuration.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", page.partition("## Environment variables")[2], re.MULTILINE)
    listed = {name.strip("` ") for row in rows for name in row.split(",")}
    assert listed - ELSEWHERE == set(read_variables()) - SPELLINGS
