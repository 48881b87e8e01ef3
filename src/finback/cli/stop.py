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
    "--timeout", type=click.FloatRange(0), default=30, show_default=True, help="Seconds that the guest has to stop."
)
@click.option("--state", type=click.Path(path_type=Path), help="Its state folder, instead of NAME.")
def COMMAND(name: str | None, timeout: float, state: Path | None) -> None:  # noqa: N802
    """Stop the machine NAME: its init is asked to power off; its process is ended when that takes too long."""
    from finback.app.machine import running as machine

    if name is None and state is None:
        raise click.UsageError("name the machine; finback ps lists them")
    found = machine.find(name or "", state)
    _streams.note(f"{found.name} {OUTCOMES[machine.stop(found, timeout)]}")
