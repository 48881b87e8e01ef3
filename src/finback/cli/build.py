"""Build artifacts from one YAML file or several merged ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from finback.cli import _streams
from finback.cli.options import input_options

if TYPE_CHECKING:
    from finback.app.planning import Inputs
    from finback.app.workspace import Workspace
    from finback.assemble.system import Compression


@click.command("build")
@click.option(
    "-f", "--format", "formats", multiple=True, metavar="FORMAT[,FORMAT]", help="What to make. Repeatable. "
    "Default: the file's `outputs`, or kernel+initrd."
)  # fmt: skip
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Output folder."
)
@click.option("--o", "stream", metavar="FILE|-", help="Write a streamable format to FILE or to standard output.")
@click.option(
    "--compression",
    metavar="METHOD[:LEVEL]",
    help="Compression of the initrd: zstd, gzip or none; of a root on a disk lz4, too.",
)
@click.option("--size", metavar="N[M|G|T]", help="Size of disks. Default: what they hold; the rest is a partition.")
@click.option("--no-check", is_flag=True, help="Write it even where it is known that it can't boot.")
@click.option("--dry-run", is_flag=True, help="Print the merged YAML and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print the artifacts as JSON.")
@input_options
def COMMAND(  # noqa: N802
    inputs: Inputs,
    workspace: Workspace,
    formats: tuple[str, ...],
    folder: Path,
    stream: str | None,
    compression: str | None,
    size: str | None,
    no_check: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Build artifacts from FILE (merged in order; `-` is standard input).

    \b
    finback build web.yml                          kernel+initrd into this folder
    finback build -f tar --o - web.yml | tar t     the root file system as a tar
    """  # noqa: D301
    if dry_run:
        from finback.app.planning import load_inputs
        from finback.spec import dump

        _streams.result(dump.to_yaml(load_inputs(inputs, workspace)), newline=False)
        return
    from finback.app import build as building
    from finback.app.output import Target
    from finback.cli import table

    target = Target(
        formats=tuple(f for given in formats for f in given.split(",") if f),
        folder=folder,
        stream=_streams.binary("--o -") if stream == "-" else None,
        file=Path(stream) if stream and stream != "-" else None,
        compression=_compression(compression),
        size=size,
        check=not no_check,
        remember=True,
    )
    made = building.build(inputs, target, workspace)
    if stream == "-":
        return
    rows = [{"path": str(a.path), "size": a.size, "role": a.role, "format": a.format, "memory": a.memory} for a in made]
    if not as_json:
        rows = [
            {**r, "size": table.size(a.size), "memory": f"{a.memory} MiB" if a.memory else ""}
            for r, a in zip(rows, made, strict=True)
        ]
    table.show(rows, as_json=as_json)


def _compression(text: str | None) -> Compression | None:
    from finback.assemble.system import Compression

    try:
        return Compression.parse(text) if text else None
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint="--compression") from None
