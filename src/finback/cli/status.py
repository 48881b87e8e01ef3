"""Show how the services of a machine stand."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--state", type=click.Path(path_type=Path), help="The machine's state folder, instead of its name.")
@click.argument("name")
def COMMAND(name: str, as_json: bool, state: Path | None) -> None:  # noqa: N802
    """List the services of the machine NAME: their state, since when, how often each was started again.

    A service is waiting for what it needs, started, up, ready or unready; stopped, when it will be started again; done
    or failed, when it will not. Times are seconds since the guest's kernel started.
    """
    from finback.app.machine.running import find, must_run
    from finback.app.machine.service_state import service_states
    from finback.cli import table

    machine = find(name, state)
    must_run(machine)
    found = service_states(machine.events()).values()
    rows = [
        {
            "service": s.name,
            "state": s.state,
            "since": s.since,
            "restarts": s.restarts,
            # How its last run ended.
            "status": s.status if as_json or s.status is not None else "",
        }
        for s in found
    ]
    table.show(rows, as_json=as_json)
