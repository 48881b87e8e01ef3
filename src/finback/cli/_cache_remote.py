"""The parts of `finback cache` that go to a registry."""

from __future__ import annotations

import click

from finback.cli import _streams
from finback.cli.options import _platform, open_workspace


@click.command("pull")
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option("--arch", multiple=True, metavar="ARCH", help="Architecture; repeatable. Default: this machine's.")
@click.pass_context
def pull(ctx: click.Context, references: tuple[str, ...], arch: tuple[str, ...]) -> None:
    """Fetch images into the store."""
    from finback.app import registry as registries

    with open_workspace(ctx) as workspace:
        for reference in references:
            for platform in [_platform(a) for a in arch] or [None]:
                pulled = registries.pull(reference, platform, None, workspace)
                _streams.result(f"{pulled.reference}  {pulled.digest}")


@click.command("push")
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option("--remote-name", default="", metavar="REF", help="What it is called there. Default: as in the store.")
@click.option("--arch", metavar="ARCH", help="Only the image for this architecture.")
@click.pass_context
def push(ctx: click.Context, references: tuple[str, ...], remote_name: str, arch: str | None) -> None:
    """Push images of the store: by their names, or by digest with --remote-name."""
    from finback.app import registry as registries

    if remote_name and len(references) > 1:
        raise click.UsageError("--remote-name goes with one image")
    with open_workspace(ctx) as workspace:
        for reference in references:
            pushed = registries.push_image(reference, remote_name, _platform(arch), workspace)
            _streams.result(f"{pushed.reference}  {pushed.digest}")
