"""Write or update the lock file, and show what changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from finback.cli import _streams
from finback.cli.options import input_options

if TYPE_CHECKING:
    from finback.app.planning import Inputs
    from finback.app.workspace import Workspace


class _Lock(click.Command):
    """Tells in `--update NAME FILE` the name from a file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        following = [*args[1:], ""]
        everything = [a == "--update" and _is_file(n) for a, n in zip(args, following, strict=True)]
        return super().parse_args(ctx, ["--update=*" if e else a for a, e in zip(args, everything, strict=True)])


def _is_file(argument: str) -> bool:
    return argument.startswith("-") or argument.endswith((".yml", ".yaml")) or not argument


@click.command("lock", cls=_Lock)
@click.option(
    "--update",
    multiple=True,
    metavar="[NAME]",
    help="Take the newest of everything, or of the image NAME alone, such as nginx. Repeatable.",
)
@click.option(
    "-f", "--format", "formats", multiple=True, metavar="FORMAT[,FORMAT]",
    help="Pin the boot loaders of these formats, too. Repeatable. Default: those of the file's `outputs`."
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
@input_options
def COMMAND(  # noqa: N802
    inputs: Inputs, workspace: Workspace, update: tuple[str, ...], formats: tuple[str, ...], as_json: bool
) -> None:
    """Pin everything that FILE names, and print what changed in the lock file.

    \b
    finback lock web.yml                   pin what is not pinned yet
    finback lock --update web.yml          take the newest of everything
    finback lock --update nginx web.yml    take the newest of finback/nginx
    finback lock -f raw-efi web.yml        pin the boot loader of a format, too
    """  # noqa: D301
    from finback.app.planning import make_plan, read_lock
    from finback.cli import table
    from finback.resolve.lock import compare

    old = read_lock(inputs)
    chosen = tuple(f for given in formats for f in given.split(",") if f)
    make_plan(replace(inputs, update=update), workspace, formats=chosen, lock_required=True)
    changes = compare(old, read_lock(inputs))
    table.show(
        [
            {"platform": c.platform, "what": c.subject, "before": c.before or "-", "after": c.after or "-"}
            for c in changes
        ],
        as_json=as_json,
    )
    if not changes and not as_json:
        _streams.note("nothing changed")
