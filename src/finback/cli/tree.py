"""List what an image contains and where each thing comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from finback.cli.options import input_options

if TYPE_CHECKING:
    from finback.app.inspect import Placed
    from finback.app.planning import Inputs
    from finback.app.workspace import Workspace


@click.command("tree")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@input_options
def COMMAND(inputs: Inputs, workspace: Workspace, as_json: bool) -> None:  # noqa: N802
    """List the root file system of FILE: mode, owner, size, path, and the section and image it comes from."""
    from finback.app.inspect import final, placed
    from finback.cli import table

    _, _, paths = placed(inputs, workspace)
    table.show([_row(p) for p in final(paths)], as_json=as_json)


def _row(place: Placed) -> dict[str, object]:
    from finback.tree.entry import Device, Directory, Fifo, File, HardLink, Symlink

    entry = place.entry
    letters = {Directory: "d", File: "-", Symlink: "l", HardLink: "h", Device: "b", Fifo: "p"}
    letter = letters[type(entry)]
    target = f" -> {entry.target}" if isinstance(entry, (Symlink, HardLink)) else ""
    return {
        "mode": f"{letter}{entry.mode:04o}",
        "owner": f"{entry.uid}:{entry.gid}",
        "size": entry.content.size if isinstance(entry, File) else 0,
        "from": place.location,
        "image": place.source.removeprefix("docker.io/"),
        "path": f"/{entry.path}{target}",
    }
