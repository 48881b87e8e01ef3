"""Fetch an image or a built system from a registry."""

from __future__ import annotations

from pathlib import Path

import click

from finback.cli import _streams
from finback.cli.options import _platform, open_workspace


@click.command("pull")
@click.argument("reference", metavar="REF")
@click.option("--arch", metavar="ARCH", help="Architecture. Default: this machine's, or the only one there is.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where files go."
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def COMMAND(ctx: click.Context, reference: str, arch: str | None, folder: Path, force: bool, as_json: bool) -> None:  # noqa: N802
    """Fetch REF: the files of a built system into this folder, a container image into the store.

    \b
    finback pull registry.example.com/talk:1 && finback run talk
    """  # noqa: D301
    from finback.app import registry as registries
    from finback.cli import table

    with open_workspace(ctx) as workspace:
        pulled = registries.pull(reference, _platform(arch), folder, workspace, replace_files=force)
    sizes = {str(p): p.stat().st_size for p in pulled.files}
    if as_json:
        rows = [{"path": p, "size": s} for p, s in sizes.items()]
        body = {"reference": pulled.reference, "digest": str(pulled.digest), "files": rows}
        table.show([body], as_json=True)
    elif sizes:
        table.show([{"path": p, "size": table.size(s)} for p, s in sizes.items()], as_json=False)
    else:
        _streams.note(f"{pulled.reference} is in the store: {pulled.digest}")
