"""The part of `finback component` that reads and writes definitions."""

from __future__ import annotations

from pathlib import Path

import click

from finback.cli import _streams
from finback.cli.options import _platform, open_workspace


@click.command("check")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--build", is_flag=True, help="Build them too: packages that are not there, patterns that fit nothing.")
@click.option("--arch", multiple=True, metavar="ARCH", help="With --build: architecture; repeatable.")
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], build: bool, arch: tuple[str, ...]) -> None:
    """Look for what is wrong or not explained in the definitions of components. Default: all.

    Each privilege needs a reason. Exit status 1 when something is found; that a recorded result is out of date is
    only a warning.
    """
    from finback.app.component.check import check_components
    from finback.ground.diagnostic import Severity
    from finback.host.machine import host_platform

    platforms = tuple(_platform(a) for a in arch) or (host_platform(),)
    with open_workspace(ctx) as workspace:
        chosen = names or workspace.library.names()
        found = check_components(chosen, platforms if build else (), workspace)
    for diagnostic in found:
        _streams.diagnose(diagnostic, is_result=True)
    errors = sum(d.severity is Severity.ERROR for d in found)
    _streams.result(f"{len(chosen)} components: {errors or 'no'} errors, {len(found) - errors or 'no'} warnings")
    if errors:
        ctx.exit(1)


@click.command("new")
@click.argument("name")
@click.option("--from", "package", metavar="PACKAGE", help="Debian package that it is made of. Default: a script.")
@click.option(
    "--dir", "parent", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder to make it in."
)
@click.pass_context
def new(ctx: click.Context, name: str, package: str | None, parent: Path) -> None:
    """Write the definition of a new component NAME into a folder of that name.

    It can be built, checked and tested as it is. `library: [FOLDER]` in config.yml makes FOLDER's components known.
    """
    from finback.app.component.new import new_component

    with open_workspace(ctx) as workspace:
        _streams.result(new_component(name, package, parent, workspace))
