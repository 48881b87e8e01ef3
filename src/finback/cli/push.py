"""Push what was built."""

from __future__ import annotations

import click

from finback.cli.options import _platform, open_workspace


@click.group("push")
def COMMAND() -> None:  # noqa: N802
    """Push what was built to where others can fetch it."""


@COMMAND.command("registry")
@click.argument("reference", metavar="REF")
@click.argument("artifacts", nargs=-1, required=True, metavar="ARTEFACT...")
@click.option("--arch", metavar="ARCH", help="What machine it is for. Default: what its kernel says.")
@click.option("--add", is_flag=True, help="Keep what REF has for other architectures; REF becomes an index.")
@click.option("--subject", default="", metavar="TAG|DIGEST", help="What in the same repository it is about.")
@click.option("--annotation", multiple=True, metavar="KEY=VALUE", help="Say something about it. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def registry(
    ctx: click.Context,
    reference: str,
    artifacts: tuple[str, ...],
    arch: str | None,
    add: bool,
    subject: str,
    annotation: tuple[str, ...],
    as_json: bool,
) -> None:
    """Push files, or the builds of that name, to a registry as one OCI artefact.

    \b
    finback push registry registry.example.com/talk:1 talk
    finback push registry --add registry.example.com/talk:1 arm64/talk
    """  # noqa: D301
    from finback.app.publish import Request, push_artifacts
    from finback.cli import table

    notes = dict(a.partition("=")[::2] for a in annotation)
    request = Request(
        reference=reference, artifacts=artifacts, platform=_platform(arch), add=add, subject=subject, annotations=notes
    )
    with open_workspace(ctx) as workspace:
        pushed = push_artifacts(request, workspace)
    size = pushed.size if as_json else table.size(pushed.size)
    table.show([{"reference": pushed.reference, "digest": str(pushed.digest), "size": size}], as_json=as_json)
