"""Stop a machine: ask the guest, then end its process."""

from __future__ import annotations

from pathlib import Path

import click

from finback.cli import _streams

OUTCOMES = {
    "stopped": "has stopped",
    "ended": "did not stop in time; its process was ended",
    "gone": "was not running any more",
}


@click.command("stop")
@click.argument("name", required=False)
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    help="Seconds that the guest has to stop. Default: what its services may take (`stop: {timeout}`), and 30 more.",
)
@click.option("--state", type=click.Path(path_type=Path), help="Its state folder, instead of NAME.")
@click.pass_context
def COMMAND(ctx: click.Context, name: str | None, timeout: float | None, state: Path | None) -> None:  # noqa: N802
    """Stop the machine NAME: its init is asked to power off; its process is ended when that takes too long."""
    from finback.app.machine import running as machine
    from finback.app.machine import stopping
    from finback.cli.options import open_workspace

    if name is None and state is None:
        raise click.UsageError("name the machine; finback ps lists them")
    found = machine.find(name or "", state)
    with open_workspace(ctx) as workspace:
        how = stopping.stop(found, timeout, workspace.emit)
    _streams.note(f"{found.name} {OUTCOMES[how]}")
