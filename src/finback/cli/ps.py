"""List the machines that run, and show how one booted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from finback.cli import _streams

if TYPE_CHECKING:
    from finback.app.machine.running import Running
    from finback.backends import Forward


@click.command("ps")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--timeline", metavar="NAME", help="Print the boot timeline of the machine NAME instead.")
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="With --timeline: draw it into this file.")
def COMMAND(as_json: bool, timeline: str | None, svg: Path | None) -> None:  # noqa: N802
    """List the machines that run, and those in the background that have ended and were not cleared by stop."""
    from finback.app.machine import running as machine
    from finback.app.machine.timeline import draw
    from finback.cli import table

    if svg is not None and timeline is None:
        raise click.UsageError("--svg draws a timeline: --timeline NAME")
    if timeline is not None and svg is not None:
        from finback.app.machine import timeline_svg
        from finback.host import file

        with file.writing(svg) as out:
            out.write(timeline_svg.draw(machine.find(timeline).events(), timeline).encode())
        return
    if timeline is not None:
        reports = machine.find(timeline).events()
        if as_json:
            import json
            from dataclasses import asdict

            _streams.result(json.dumps([asdict(r) for r in reports], indent=2))
        else:
            _streams.result(draw(reports))
        return
    table.show([_row(m, as_json=as_json) for m in machine.listing()], as_json=as_json)


def _row(machine: Running, *, as_json: bool) -> dict[str, object]:
    pid = machine.pid
    row: dict[str, object] = {"name": machine.name, "state": "running" if pid else "ended"}
    if as_json:
        return {
            **row,
            "pid": pid or None,
            "uptime": round(machine.uptime, 1) if pid else None,
            "detached": machine.detached,
            "folder": str(machine.state),
            "ports": [
                {"address": f.address, "host": f.host, "guest": f.guest, "protocol": f.protocol}
                for f in machine.forwards
            ],
        }
    return {
        **row,
        "pid": pid or "",
        "uptime": _duration(machine.uptime) if pid else "",
        "ports": " ".join(f"{_place(f)}->{f.guest}/{f.protocol}" for f in machine.forwards),
    }


def _place(forward: Forward) -> str:
    address = f"[{forward.address}]" if ":" in forward.address else forward.address
    return f"{address}:{forward.host}"


def _duration(seconds: float) -> str:
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h"
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {whole % 60}s" if minutes else f"{whole}s"
