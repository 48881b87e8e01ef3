"""The reference assemblies: each is whole, and begins a system of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from finback.app.assembly import begin, get, names
from finback.app.planning import Inputs, load_inputs
from finback.app.workspace import Workspace
from finback.cli import cli
from finback.component.library import Library
from finback.ground.diagnostic import FinbackError
from finback.ground.event import silent

ROOT = Path(__file__).resolve().parents[3]
NAMES = names()


def test_every_folder_is_an_assembly() -> None:
    assert sorted(p.name for p in (ROOT / "assemblies").iterdir()) == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_assembly_says_what_it_is_and_what_it_is_made_of(name: str) -> None:
    found = get(name)
    assert found.readme.startswith(f"# {name}\n\n")
    assert 10 < len(found.summary) < 120
    for told in ("$ finback build ", f" {name}.yml", "**Listens on:**", "**Needs:**", "**To change:**"):
        assert told in found.readme
    assert found.budget is not None
    assert len(found.spec.tests or ()) > 1
    library = Library((ROOT / "components",))
    for image in found.images:
        assert image.startswith("finback/")
        library.get(image.removeprefix("finback/"))


def test_a_system_begins_with_an_assembly(tmp_path: Path) -> None:
    made = begin(tmp_path / "shop", get("nginx"))
    assert made.name == "shop.yml"
    assert made.read_text() == get("nginx").text
    assert [p.name for p in made.parent.iterdir()] == ["shop.yml"]
    with pytest.raises(FinbackError, match="there already"):
        begin(tmp_path / "shop", get("nginx"))
    assert [p.name for p in tmp_path.iterdir()] == ["shop"]


def test_a_system_extends_an_assembly(tmp_path: Path) -> None:
    made = begin(tmp_path / "shop", get("nginx"), extend=True)
    spec = load_inputs(Inputs(files=(str(made),)), Workspace(emit=silent))
    assert [s.name for s in spec.services or ()] == ["rngd", "nginx"]


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    listed = json.loads(run(cli, ["assembly", "list", "--json"]).output)
    assert [row["name"] for row in listed] == list(NAMES)
    assert "minimal" in run(cli, ["assembly", "list"]).output
    shown = run(cli, ["assembly", "show", "redis-os"]).output
    assert shown.startswith("# redis-os")
    assert "image: finback/redis" in shown
    assert run(cli, ["assembly", "new", "x", "--from", "redis-os"]).exit_code == 0
    assert (tmp_path / "x/x.yml").exists()
    with pytest.raises(FinbackError, match="no assembly") as failure:
        get("redis")
    assert failure.value.diagnostics[0].help.startswith("did you mean redis-os?")
