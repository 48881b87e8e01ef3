"""Say what a system is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from finback.cli import _streams
from finback.cli.options import input_options

if TYPE_CHECKING:
    from finback.app.planning import Inputs
    from finback.app.workspace import Workspace
    from finback.component.bill import Bill

FORMAT = click.option(
    "--format", "form", type=click.Choice(["spdx", "cyclonedx"]), default="spdx", show_default=True,
    help="SPDX 2.3 or CycloneDX 1.6, both as JSON.",
)  # fmt: skip
OUTPUT = click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to write it. Default: standard output."
)


@click.command("sbom")
@FORMAT
@OUTPUT
@input_options
def COMMAND(inputs: Inputs, workspace: Workspace, form: str, output: Path | None) -> None:  # noqa: N802
    """Print the bill of materials of FILE's system: images and packages, with licences, purls and CPE names."""
    from finback.app.sbom.bill import of_system

    show(of_system(inputs, workspace), form, output)


def show(bill: Bill, form: str, output: Path | None) -> None:
    """Write *bill* in the format *form* to *output*, None for standard output."""
    from finback.app.sbom.bill import write
    from finback.host import file

    text = write(bill, form)
    if output is None:
        _streams.result(text, newline=False)
        return
    with file.writing(output) as out:
        out.write(text.encode())
