"""Check this machine: store, mirror, keyring, QEMU, KVM."""

from __future__ import annotations

import click

from finback.cli import _streams
from finback.cli.options import open_workspace


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def COMMAND(ctx: click.Context, as_json: bool) -> None:  # noqa: N802
    """Check what finback needs on this machine. Exit status 5 when something needed is missing."""
    import json

    from finback.app.doctor import examine

    with open_workspace(ctx) as workspace:
        checks = list(examine(workspace))
    if as_json:
        rows = [{"name": c.name, "ok": c.ok, "found": c.found, "help": c.help} for c in checks]
        _streams.result(json.dumps(rows, indent=2))
    else:
        width = max(len(c.name) for c in checks)
        marks = {True: click.style("ok", fg="green"), False: click.style("no", fg="red"), None: "- "}
        for check in checks:
            _streams.result(f"{marks[check.ok]}  {check.name.ljust(width)}  {check.found}")
            if check.help:
                _streams.result(f"    {' ' * width}  {check.help}")
    if any(c.ok is False for c in checks):
        ctx.exit(5)
