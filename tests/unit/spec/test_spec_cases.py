"""Wrong variants of LinuxKit's examples, and exactly what is said about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from finback.app.parents import Parents
from finback.app.workspace import Workspace
from finback.cli.render import render
from finback.ground.diagnostic import FinbackError
from finback.ground.event import silent
from finback.ground.platform import Platform
from finback.ground.source import Source
from finback.spec.load import load_all, load_files

TESTS = Path(__file__).parents[2]
CASES = sorted((TESTS / "cases" / "spec").iterdir())
EXAMPLES = sorted((TESTS / "fixtures" / "linuxkit").glob("*.yml"))


def read(path: Path) -> Source:
    return Source(path.name, path.read_bytes().decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_what_is_said(case: Path, expect: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    fetch = Parents(Workspace(emit=silent), Platform(), {}, Path(), frozen=False)
    with pytest.raises(FinbackError) as caught:
        load_files((read(case / "build.yml"),), fetch)
    assert caught.value.status == 1
    for diagnostic in caught.value.diagnostics:
        assert diagnostic.help, diagnostic.message
        assert diagnostic.span is not None, diagnostic.message
    expect(case / "errors.txt", "\n".join(render(d) for d in caught.value.diagnostics) + "\n")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_give_no_warning_but_that_of_the_talk(path: Path) -> None:
    spec, warnings = load_all((read(path),))
    assert spec.services or spec.onboot or spec.kernel
    assert [w.code for w in warnings] == (["F052"] if path.stem == "talk" else [])


def test_there_are_enough_of_both() -> None:
    assert len(EXAMPLES) >= 35
    assert len(CASES) >= 10
