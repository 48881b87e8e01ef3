"""A shell in a machine that runs, or in one of its containers."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("shell")
@click.option("--state", type=click.Path(path_type=Path), help="The machine's state folder, instead of its name.")
@click.argument("name")
@click.argument("service", required=False)
@click.pass_context
def COMMAND(ctx: click.Context, name: str, service: str | None, state: Path | None) -> None:  # noqa: N802
    """Open a shell in the machine NAME, outside its containers, or in the container of SERVICE.

    From a terminal it has a terminal, to which keys go as they are. Ctrl-D leaves.
    """
    from finback.app.machine import session
    from finback.app.machine.running import find
    from finback.cli._streams import guest_streams
    from finback.host.terminal import is_whole

    request = session.Request(words=("sh",), service=service or "", source=sys.stdin.fileno())
    if is_whole():
        ctx.exit(session.converse(find(name, state), request))
    with guest_streams() as (output, errors):
        status = session.execute(find(name, state), request, output.write, errors.write)
    ctx.exit(status)
