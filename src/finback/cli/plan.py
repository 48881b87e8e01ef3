"""Print the resolved plan: every image, package and file by digest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from finback.cli.options import input_options

if TYPE_CHECKING:
    from finback.app.planning import Inputs
    from finback.app.workspace import Workspace


@click.command("plan")
@click.option("--no-resolve", is_flag=True, help="Look nothing up: images have no digests.")
@input_options
def COMMAND(inputs: Inputs, workspace: Workspace, no_resolve: bool) -> None:  # noqa: N802
    """Print the plan of FILE as JSON."""
    from finback.app.planning import make_plan
    from finback.ground.canonical import plain

    plan, _ = make_plan(inputs, workspace, look_up=not no_resolve)
    body = plain(plan)
    if not no_resolve:
        body["digest"] = str(plan.digest())
    click.echo(json.dumps(body, indent=2, ensure_ascii=False))
