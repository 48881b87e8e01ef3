"""Write or update the lock file, and show what changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from finback.cli.options import input_options

if TYPE_CHECKING:
    from finback.app.planning import Inputs
    from finback.app.workspace import Workspace


@click.command("lock")
@click.option(
    "--update", is_flag=True, help="Resolve everything anew, or only the images given with --only, and take the newest."
)
@click.option("--only", multiple=True, metavar="NAME", help="With --update: the image to update, such as nginx.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
@input_options
def COMMAND(inputs: Inputs, workspace: Workspace, update: bool, only: tuple[str, ...], as_json: bool) -> None:  # noqa: N802
    """Pin everything that FILE names, and print what changed in the lock file."""
    from finback.app.planning import make_plan, read_lock
    from finback.cli import table
    from finback.resolve.lock import compare

    if only and not update:
        raise click.UsageError("--only goes with --update")
    old = read_lock(inputs)
    wanted = replace(inputs, update=only or ("*",)) if update else inputs
    plan, _ = make_plan(wanted, workspace)
    changes = compare(old, old.with_plan(plan))
    table.show(
        [
            {"platform": c.platform, "what": c.subject, "before": c.before or "-", "after": c.after or "-"}
            for c in changes
        ],
        as_json=as_json,
    )
    if not changes and not as_json:
        click.echo("nothing changed", err=True)
