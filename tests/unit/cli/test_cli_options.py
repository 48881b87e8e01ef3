"""Options before the command."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from finback.cli import cli


@pytest.mark.parametrize(
    ("words", "level"),
    [
        (["version"], 1),
        (["-v", "version"], 2),
        (["-vv", "version"], 3),
        (["-vvvvv", "version"], 3),
        (["-v", "0", "version"], 0),
        (["-v3", "version"], 3),
        (["--verbose", "version"], 2),
        (["--verbose", "2", "version"], 2),
        (["--verbose=0", "version"], 0),
        (["--progress", "plain", "-v", "--cache", "/x", "version"], 2),
        (["-v", "-q", "version"], 2),
    ],
    ids=str,
)
def test_verbose(words: list[str], level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        "finback.cli.version.COMMAND", click.command("version")(click.pass_context(lambda c: seen.append(c.obj)))
    )
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert [o["verbose"] for o in seen] == [level]


@pytest.mark.parametrize("words", [["-v"], ["-v", "9", "version"], ["-v", "-1", "version"], ["-v", "nothing"]])
def test_what_is_no_level(words: list[str]) -> None:
    assert CliRunner().invoke(cli, words).exit_code == 2
