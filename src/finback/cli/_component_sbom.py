"""The part of `finback component` that says what components are made of."""

from __future__ import annotations

from pathlib import Path

import click

from finback.cli.options import _platform, open_workspace
from finback.cli.sbom import FORMAT, OUTPUT, show


@click.command("sbom")
@click.argument("name")
@click.option("--arch", metavar="ARCH", help="Architecture. Default: this machine's.")
@FORMAT
@OUTPUT
@click.pass_context
def sbom(ctx: click.Context, name: str, arch: str | None, form: str, output: Path | None) -> None:
    """Print the bill of materials of component NAME: its packages with licences, package URLs and CPE names."""
    from finback.app.sbom.bill import of_component
    from finback.host.machine import host_platform

    with open_workspace(ctx) as workspace:
        show(of_component(name, _platform(arch) or host_platform(), workspace), form, output)
