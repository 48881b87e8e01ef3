"""Run a command in a container of a machine that runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("-t", "--tty", is_flag=True, help="Give it a terminal, which this terminal becomes.")
@click.option("--state", type=click.Path(path_type=Path), help="The machine's state folder, instead of its name.")
@click.argument("name")
@click.argument("service")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def COMMAND(  # noqa: N802
    ctx: click.Context, name: str, service: str, command: tuple[str, ...], state: Path | None, tty: bool
) -> None:
    """Run COMMAND in the container of SERVICE in the machine NAME; input, output and exit status are its own.

    \b
    finback exec web nginx -- cat /etc/nginx/nginx.conf
    """  # noqa: D301
    from finback.app.machine import session
    from finback.app.machine.running import find
    from finback.cli._streams import guest_streams
    from finback.host.terminal import is_whole

    words = command[1:] if command[0] == "--" else command
    if not words:
        raise click.UsageError("name a command after --")
    if tty and not is_whole():
        raise click.UsageError("-t needs a terminal: input and output are not both one")
    request = session.Request(words=words, service=service, source=sys.stdin.fileno())
    if tty:
        ctx.exit(session.converse(find(name, state), request))
    with guest_streams() as (output, errors):
        status = session.execute(find(name, state), request, output.write, errors.write)
    ctx.exit(status)
