"""Print the resolved plan: every image, package and file by digest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from finback.cli import _streams
from finback.cli.options import input_options

if TYPE_CHECKING:
    from finback.app.planning import Inputs
    from finback.app.workspace import Workspace


WIDTH = 60


@click.command("plan")
@click.option("--no-resolve", is_flag=True, help="Look nothing up: images have no digests.")
@click.option("--explain", "explains", is_flag=True, help="Print where each value comes from instead.")
@click.option("--json", "as_json", is_flag=True, help="With --explain: print JSON.")
@input_options
def COMMAND(  # noqa: N802
    inputs: Inputs, workspace: Workspace, no_resolve: bool, explains: bool, as_json: bool
) -> None:
    """Print the plan of FILE as JSON.

    With --explain, print each value with the file and line that it comes from, or the image that brings it, and the
    params in it.
    """
    from finback.app.planning import make_plan, plan_system
    from finback.ground.canonical import plain

    if explains:
        from finback.app.explain import explain
        from finback.cli import table

        plan, loaded = plan_system(inputs, workspace, look_up=not no_resolve)
        found = [
            {"key": e.key, "value": e.value, "from": e.source, "params": e.params}
            for e in explain(loaded.spec, plan, loaded.params)
        ]
        if not as_json:
            found = [{**f, "value": _short(f["value"]), "params": "; ".join(f["params"])} for f in found]
        table.show(found, as_json=as_json)
        return
    plan, _ = make_plan(inputs, workspace, look_up=not no_resolve)
    body = plain(plan)
    if not no_resolve:
        body["digest"] = str(plan.digest())
    _streams.result(json.dumps(body, indent=2, ensure_ascii=False))


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = text.partition("\n")[0]
    return line if line == text and len(line) <= WIDTH else line[: WIDTH - 1] + "…"
