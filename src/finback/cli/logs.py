"""Show what services of a machine have written."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("logs")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), help="Only the last lines. Default: all.")
@click.option("--state", type=click.Path(path_type=Path), help="The machine's state folder, instead of its name.")
@click.argument("name")
@click.argument("service", required=False)
@click.pass_context
def COMMAND(  # noqa: N802
    ctx: click.Context, name: str, service: str | None, follow: bool, lines: int | None, state: Path | None
) -> None:
    """Print the log of SERVICE, or of a boot step such as 000-sysctl, or of all services of the machine NAME.

    Every line of a service begins with its time.
    """
    from finback.app.machine import session
    from finback.app.machine.running import find
    from finback.cli._streams import guest_streams

    many = "all" if lines is None else str(lines)
    words = ("/usr/lib/finback/logs", many, "yes" if follow else "no", *([service] if service else []))
    with guest_streams() as (output, errors):
        status = session.execute(find(name, state), session.Request(words=words), output.write, errors.write)
    ctx.exit(status)
