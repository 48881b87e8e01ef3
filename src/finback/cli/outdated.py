"""Show what has moved since the lock file was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from finback.cli import _streams
from finback.cli.options import input_options

if TYPE_CHECKING:
    from finback.app.planning import Inputs
    from finback.app.workspace import Workspace


@click.command("outdated")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--exit-code", is_flag=True, help="Exit status 1 when something has moved.")
@input_options
def COMMAND(inputs: Inputs, workspace: Workspace, as_json: bool, exit_code: bool) -> None:  # noqa: N802
    """Show which tags and packages are no longer what the lock file of FILE pins; nothing is changed.

    Exit status 0, also when something has moved; with --exit-code it is then 1.
    """
    from finback.app.outdated import outdated
    from finback.cli import table

    moved = outdated(inputs, workspace)
    rows = [{"platform": m.platform, "what": m.subject, "locked": m.locked or "-", "now": m.now or "-"} for m in moved]
    table.show(rows, as_json=as_json)
    if not moved and not as_json:
        _streams.note("nothing has moved")
    if moved and exit_code:
        click.get_current_context().exit(1)
