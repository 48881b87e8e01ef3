"""Error codes: each is declared once and used, and its examples are true."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from finback.cli import cli
from finback.ground import errors
from finback.ground.diagnostic import Family, FinbackError
from finback.ground.errors.code import Code
from finback.ground.source import Source
from finback.spec.load import load_files

SOURCES = Path(errors.__file__).parents[2]
DECLARED = list(errors.declarations())
EXAMPLES = [(name, c) for name, c in DECLARED if c.wrong and not c.wrong.startswith(("$", "summary:"))]
# Found when the file is planned or the finished system is checked, not when the file is read.
LATER = {"F097", "F121", "F141", "F184"}


def used() -> set[str]:
    """The codes that occur as literals anywhere but in their declarations."""
    found = set()
    for path in SOURCES.rglob("*.py"):
        if Path(errors.__file__).parent in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"F\d{3}", node.value):
                found.add(node.value)
    return found


def test_every_code_is_declared_once_and_used() -> None:
    numbers = [c.number for _, c in DECLARED]
    assert len(numbers) == len(set(numbers))
    assert used() - set(numbers) == set(), "declare these in finback.ground.errors"
    assert set(numbers) - used() == set(), "nothing reports these any more"


def test_a_code_is_declared_with_its_family() -> None:
    for family in Family:
        module = importlib.import_module(f"finback.ground.errors.{family.name.lower()}")
        codes = [c for c in vars(module).values() if isinstance(c, Code)]
        assert codes
        assert {c.number[:2] for c in codes} == {family.value}


def test_texts_are_sentences_of_their_kind() -> None:
    for name, code in DECLARED:
        assert code.meaning[0].isupper() or code.meaning[0] in "`-", name
        assert not code.meaning.endswith("."), name
        assert bool(code.wrong) == bool(code.right), name


def reported(text: str) -> set[str]:
    try:
        return {d.code for d in load_files((Source("example.yml", text),)).warnings}
    except FinbackError as failure:
        return {d.code for d in failure.diagnostics}


@pytest.mark.parametrize(("name", "code"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_examples_have_the_error_and_have_it_not(name: str, code: Code) -> None:
    if code.number not in LATER:
        assert code.number in reported(code.wrong), name
    assert reported(code.right) == set(), name


def test_commands_in_examples_are_commands() -> None:
    known = set(cli.list_commands(None))  # type: ignore[arg-type]
    for _, code in DECLARED:
        for line in (code.wrong + code.right).splitlines():
            if line.startswith("$ "):
                assert line.split()[1] == "finback"
                assert line.split()[2] in known


@pytest.mark.parametrize("word", ["F141", "f141", "no-component"])
def test_explain_prints_what_is_declared(word: str) -> None:
    result = CliRunner().invoke(cli, ["explain", word])
    assert result.exit_code == 0
    assert result.stdout.startswith("F141 no-component\nThere is no component of this name in the library.\n")
    assert "\nright:\n    init: [finback/init]\n" in result.stdout


def test_explain_suggests_a_close_name() -> None:
    result = CliRunner().invoke(cli, ["explain", "no-componet"])
    assert result.exit_code == 2
    assert "Did you mean no-component" in result.stderr
