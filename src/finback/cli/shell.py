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

    Lines are edited here and sent whole. Ctrl-D leaves.
    """
    from finback.app import session
    from finback.app.machine import find
    from finback.cli._streams import errors, output
    from finback.host.terminal import is_terminal

    words = ("sh", "-i") if is_terminal() else ("sh",)
    request = session.Request(words=words, service=service or "", source=sys.stdin.fileno())
    ctx.exit(session.execute(find(name, state), request, output, errors))
