"""The parts of `finback cache` that concern this machine alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finback.cli import _streams, table
from finback.cli.options import _platform, open_workspace

if TYPE_CHECKING:
    from finback.app.cache.upkeep import Collected

# What people read in place of the kinds that `cache du --json` has.
_KINDS = {"work": "results of builds", "unnamed": "without a name", "temporary": "temporary files"}
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@click.command("ls")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def listing(ctx: click.Context, as_json: bool) -> None:
    """List the images that have names."""
    from datetime import UTC, datetime

    from finback.app.cache import upkeep as cache

    with open_workspace(ctx) as workspace:
        named = cache.listing(workspace)
    rows = [
        {
            "name": n.name,
            "platforms": list(n.platforms) if as_json else " ".join(n.platforms),
            "size": n.size if as_json else table.size(n.size),
            "used": datetime.fromtimestamp(n.used, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if n.used else "",
            "digest": str(n.digest),
        }
        for n in named
    ]
    table.show(rows, as_json=as_json)


@click.command("rm")
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.pass_context
def remove(ctx: click.Context, references: tuple[str, ...]) -> None:
    """Remove images by their names. What other images share stays."""
    from finback.app.cache import upkeep as cache

    with open_workspace(ctx) as workspace:
        _say(cache.remove(references, workspace))


@click.command("gc")
@click.option("--unused-for", "days", default=30.0, metavar="DAYS", help="Remove what has no name and was not used.")
@click.option(
    "--size", "cap", metavar="SIZE", help="Then remove the longest unused, names too, until SIZE is left: 10G."
)
@click.pass_context
def collect(ctx: click.Context, days: float, cap: str | None) -> None:
    """Remove what is of no use any more. What was used within the last hour stays."""
    from finback.app.cache import upkeep as cache

    limit = None if cap is None else _bytes(cap)
    with open_workspace(ctx) as workspace:
        _say(cache.collect(days, limit, workspace))


@click.command("clean")
@click.pass_context
def clean(ctx: click.Context) -> None:
    """Remove every image, as `gc --unused-for 0 --size 0` does. What was used within the last hour stays."""
    from finback.app.cache import upkeep as cache

    with open_workspace(ctx) as workspace:
        _say(cache.collect(0, 0, workspace))


@click.command("du")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def usage(ctx: click.Context, as_json: bool) -> None:
    """Show what takes the space. What was unused for a day is removed by `cache gc`, except images with names."""
    from finback.app.cache import upkeep as cache

    with open_workspace(ctx) as workspace:
        kinds = cache.usage(workspace)
    rows = [
        {
            "kind": k.kind if as_json else _KINDS.get(k.kind, k.kind),
            "count": k.count if as_json else k.count or "",
            "size": k.size if as_json else table.size(k.size),
            "idle" if as_json else "unused": k.reclaimable if as_json else table.size(k.reclaimable),
        }
        for k in kinds
    ]
    table.show(rows, as_json=as_json)


@click.command("verify")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Read everything in the store, and remove what is damaged; builds make or fetch it anew.

    The status is 4 when something was damaged.
    """
    from dataclasses import asdict

    from finback.app.cache import upkeep as cache

    with open_workspace(ctx) as workspace:
        found = cache.verify(workspace)
    if as_json:
        import json

        _streams.result(json.dumps({**asdict(found), "damaged": [str(d) for d in found.damaged]}, indent=2))
    else:
        for digest in found.damaged:
            _streams.result(f"damaged, removed: {digest}")
        if found.index:
            _streams.result(
                f"index.json was damaged and is now {found.index}; images get their names again as they are used"
            )
        for name in found.names:
            _streams.result(f"gone, name removed: {name}")
        for name in found.incomplete:
            _streams.result(f"incomplete: {name}: pull or import it again")
        _streams.result(f"{found.blobs} blobs, {table.size(found.size)}: {len(found.damaged)} damaged")
    ctx.exit(4 if found.damaged or found.index or found.names else 0)


@click.command("import")
@click.argument("source", metavar="FILE|FOLDER|-")
@click.option("--name", default="", metavar="IMAGE", help="What the images are: the layout's names are tags of it.")
@click.pass_context
def take(ctx: click.Context, source: str, name: str) -> None:
    """Take the images of an OCI layout into the store, under the names that they have there.

    \b
    finback cache import images.tar
    finback cache import --name registry.example.com/app app.tar    where the layout has tags alone
    """  # noqa: D301
    from finback.app.cache import transfer as cache_transfer

    given = sys.stdin.buffer if source == "-" else Path(source)
    with open_workspace(ctx) as workspace:
        for imported in cache_transfer.take(given, workspace, name):
            _streams.result(f"{imported.name}  {imported.digest}")


@click.command("export")
@click.argument("reference", metavar="REF")
@click.option("--platform", metavar="OS/ARCH", help="Default: this machine's.")
@click.option(
    "--format", "form", type=click.Choice(["oci", "docker", "filesystem"]), default="oci", help="Default: oci."
)
@click.option("--name", default="", help="What the image is called in the archive. Default: REF.")
@click.option("--outfile", default="-", metavar="FILE|-", help="Where to write. Default: standard output.")
@click.pass_context
def export(ctx: click.Context, reference: str, platform: str | None, form: str, name: str, outfile: str) -> None:
    """Write an image as an archive: an OCI layout, one for `docker load`, or the file system alone."""
    from finback.app.cache import transfer as cache_transfer
    from finback.app.cache import upkeep as cache
    from finback.host import file
    from finback.host.machine import host_platform

    with open_workspace(ctx) as workspace:
        full, digest, kind = cache.find(reference, workspace)
        what = cache_transfer.Export(
            name=full,
            digest=digest,
            media_type=kind,
            platform=_platform(platform) or host_platform(),
            form=form,
            given=name,
        )
        if outfile == "-":
            cache_transfer.write(what, _streams.binary("--outfile -"), workspace)
            return
        with file.writing(Path(outfile)) as out:
            cache_transfer.write(what, out, workspace)


def _say(done: Collected) -> None:
    for name in done.names:
        _streams.result(f"removed: {name}")
    _streams.result(
        f"{done.blobs} blobs and {done.records} records removed, {table.size(done.size)}; {table.size(done.left)} left"
    )


def _bytes(text: str) -> int:
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "")
    try:
        if unit not in UNITS or float(number) < 0:
            raise ValueError(text)
        return int(float(number) * UNITS[unit])
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is no size: write 500M or 10G", param_hint="--size") from None
