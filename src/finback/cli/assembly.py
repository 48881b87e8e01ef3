"""List and show the reference assemblies, and begin systems with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from finback.cli import _streams

if TYPE_CHECKING:
    from finback.app.assembly import Assembly


@click.group("assembly")
def COMMAND() -> None:  # noqa: N802
    """Whole systems to run as they are, or to begin one's own with."""


@COMMAND.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def listing(as_json: bool) -> None:
    """List the assemblies, each with the megabytes that its kernel and initrd keep within."""
    from finback.app.assembly import get, names
    from finback.cli import table

    rows = [_facts(get(name)) for name in names()]
    table.show(rows, as_json=as_json, columns=("name", "budget", "summary"))


@COMMAND.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON instead.")
@click.argument("name")
def show(name: str, as_json: bool) -> None:
    """Print what there is to know about the assembly NAME, and its YAML."""
    import json

    from finback.app.assembly import get

    found = get(name)
    if as_json:
        _streams.result(json.dumps(_facts(found), indent=2, ensure_ascii=False))
        return
    _streams.result(f"{found.readme.rstrip()}\n\n## {found.path.name}\n\n```yaml\n{found.text.rstrip()}\n```")


@COMMAND.command("new")
@click.option("--from", "origin", required=True, metavar="NAME", help="The assembly to begin with.")
@click.option("--extend", is_flag=True, help="Write a file that extends the assembly, instead of a copy of it.")
@click.argument("place", metavar="FOLDER", type=click.Path(path_type=Path))
def new(place: Path, origin: str, extend: bool) -> None:
    """Make FOLDER with a YAML file that is called as the folder is: a copy of an assembly.

    \b
    finback assembly new shop --from nginx    makes shop/shop.yml
    """  # noqa: D301
    from finback.app.assembly import begin, get

    made = begin(place, get(origin), extend=extend)
    _streams.result(made)
    _streams.note(f"  to build it   finback build {made}\n  to test it    finback test {made}")


def _facts(assembly: Assembly) -> dict[str, object]:
    machine = assembly.spec.machine
    return {
        "name": assembly.name,
        "summary": assembly.summary,
        "folder": str(assembly.folder),
        "images": list(assembly.images),
        "budget": assembly.budget,
        "memory": machine.memory if machine else None,
        "disks": list(machine.disks or ()) if machine else [],
        "tests": len(assembly.spec.tests or ()),
    }
