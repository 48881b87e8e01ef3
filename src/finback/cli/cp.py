"""Copy files between this machine and one that runs."""

from __future__ import annotations

import re
from pathlib import Path

import click

from finback.cli import _streams

INSIDE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:/([A-Za-z0-9][A-Za-z0-9._-]*))?:(/.*)", re.DOTALL)


@click.command("cp")
@click.option("--state", type=click.Path(path_type=Path), help="The machine's state folder, instead of its name.")
@click.argument("source")
@click.argument("target")
def COMMAND(source: str, target: str, state: Path | None) -> None:  # noqa: N802
    """Copy the file or folder SOURCE to TARGET; one of the two is in a machine.

    What is in the machine NAME is written NAME:/PATH, in the container of its SERVICE NAME/SERVICE:/PATH. A TARGET that
    is a folder gets it inside. Modes and owners are kept, owners here only for root. It appears whole or not at all.

    \b
    finback cp web/nginx:/etc/nginx ./conf
    finback cp page.html web/nginx:/usr/share/nginx/html/
    """  # noqa: D301
    from finback.app.machine import copying
    from finback.app.machine.running import find

    there, here = INSIDE.fullmatch(source), INSIDE.fullmatch(target)
    if (there is None) == (here is None):
        raise click.UsageError("one of SOURCE and TARGET is in a machine: NAME:/PATH or NAME/SERVICE:/PATH")
    if there is not None:
        _streams.note(copying.fetch(find(there[1], state), there[2] or "", there[3], Path(target)))
    elif here is not None:
        copying.send(find(here[1], state), here[2] or "", Path(source), here[3])
