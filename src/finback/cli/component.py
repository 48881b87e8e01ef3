"""List, show and build the library's components."""

from __future__ import annotations

import click

from finback.cli import _component_check, _component_sbom, _component_test, _streams
from finback.cli.options import _platform, open_workspace


@click.group("component")
def COMMAND() -> None:  # noqa: N802
    """The library: components that specs name as finback/NAME."""


@COMMAND.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--category", help="Only this category.")
@click.pass_context
def listing(ctx: click.Context, as_json: bool, category: str | None) -> None:
    """List the components."""
    from finback.cli import table

    with open_workspace(ctx) as workspace:
        components = [workspace.library.get(n) for n in workspace.library.names()]
    rows = [
        {
            "name": c.name,
            "category": c.definition.category,
            "summary": c.definition.summary,
            "packages": " ".join(c.definition.packages or ()),
            "answers": " ".join(c.definition.answers or ()),
        }
        for c in components
        if category in (None, c.definition.category)
    ]
    table.show(rows, as_json=as_json, columns=("name", "category", "summary"))


@COMMAND.command("show")
@click.argument("name")
@click.pass_context
def show(ctx: click.Context, name: str) -> None:
    """Print the definition of component NAME as JSON, with its digest and folder."""
    import json

    from finback.ground.canonical import plain

    with open_workspace(ctx) as workspace:
        component = workspace.library.get(name)
    body = {"name": name, "folder": str(component.folder), "digest": str(component.digest)}
    _streams.result(json.dumps({**body, **plain(component.definition)}, indent=2, ensure_ascii=False))


@COMMAND.command("build")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--arch", multiple=True, metavar="ARCH", help="Architecture; repeatable. Default: this machine's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def build(ctx: click.Context, names: tuple[str, ...], arch: tuple[str, ...], as_json: bool) -> None:
    """Build components into the store, and print their images' digests."""
    from finback.app.component.build import build_components
    from finback.cli import table
    from finback.host.machine import host_platform

    platforms = tuple(_platform(a) for a in arch) or (host_platform(),)
    with open_workspace(ctx) as workspace:
        built = build_components(names, platforms, workspace)
    rows = [
        {
            "name": b.name,
            "platform": str(b.platform),
            "version": b.version,
            "size": b.size if as_json else table.size(b.size),
            "packages": b.packages,
            "digest": str(b.digest),
        }
        for b in built
    ]
    table.show(rows, as_json=as_json)


for _command in (
    _component_check.check,
    _component_check.new,
    _component_sbom.sbom,
    _component_test.test,
    _component_test.probe,
):
    COMMAND.add_command(_command)
