"""The library as a whole: build it, push it, see what is outdated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from finback.cli import _streams
from finback.cli.options import open_workspace

if TYPE_CHECKING:
    from finback.app.library.build import Outcome, Report
    from finback.ground.platform import Platform


@click.group("library")
def COMMAND() -> None:  # noqa: N802
    """The library as a whole: build it, push it, see what is outdated."""


def platforms_of(architectures: tuple[str, ...]) -> tuple[Platform, ...]:
    """What `--arch A,B --arch C` names; this machine's without any."""
    from finback.ground.platform import Platform
    from finback.host.machine import host_platform

    words = [w for text in architectures for w in text.split(",") if w]
    try:
        return tuple(dict.fromkeys(map(Platform.parse, words))) or (host_platform(),)
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint="--arch") from None


def _check(names: tuple[str, ...], everything: bool) -> None:
    if bool(names) == everything:
        raise click.UsageError("name components, or give --all")


@COMMAND.command("build")
@click.argument("names", nargs=-1, metavar="NAME...")
@click.option("--all", "everything", is_flag=True, help="Every component.")
@click.option("--arch", multiple=True, metavar="ARCH,...", help="Architectures. Default: this machine's.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Builds at a time. Default: one for each processor.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def build(
    ctx: click.Context, names: tuple[str, ...], everything: bool, arch: tuple[str, ...], jobs: int | None, as_json: bool
) -> None:
    """Build components into the store. A build that was broken off goes on where it was."""
    from finback.app.library.build import Request, build_library
    from finback.host.machine import processors

    _check(names, everything)
    request = Request(names=names, platforms=platforms_of(arch), jobs=jobs or processors())
    with open_workspace(ctx) as workspace:
        report = build_library(request, workspace)
    _show(report, as_json=as_json)
    if report.failed:
        ctx.exit(max(d.family.status for o in report.failed for d in o.problems))


def _show(report: Report, *, as_json: bool) -> None:
    from finback.cli import table

    rows = [_row(o) for o in report.outcomes]
    rows += [
        {"name": job.name, "platform": str(job.platform), "state": "exception", "reason": reason}
        for job, reason in report.exceptions
    ]
    if as_json:
        table.show(rows, as_json=True)
        return
    troubles = [r for r in rows if r["state"] in ("failed", "exception")]
    table.show(troubles, as_json=False, columns=("name", "platform", "state", "reason"))
    for platform in sorted({str(o.job.platform) for o in report.outcomes}):
        done = [o for o in report.outcomes if str(o.job.platform) == platform and o.pin]
        failed = sum(str(o.job.platform) == platform for o in report.failed)
        size = sum(o.size for o in done) / 1e9
        new = sum(o.fresh for o in done)
        _streams.result(f"{platform}: {len(done)} built ({new} anew, {size:.2f} GB unpacked), {failed} failed")


def _row(outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {"name": outcome.job.name, "platform": str(outcome.job.platform)}
    if outcome.pin is None:
        reason = "; ".join(f"{d.code} {d.message}" for d in outcome.problems)
        return {**row, "state": "failed", "reason": reason}
    return {
        **row,
        "state": "built" if outcome.fresh else "there",
        "version": outcome.pin.version,
        "digest": str(outcome.pin.digest),
        "size": outcome.size,
        "packages": len(outcome.pin.packages),
    }


@COMMAND.command("push")
@click.argument("reference", metavar="REF")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--arch", multiple=True, metavar="ARCH,...", help="Default: every architecture that was built for.")
@click.option("--add", is_flag=True, help="Keep what the tags have for other architectures.")
@click.option("--incomplete", is_flag=True, help="Push what there is, though something was not built.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def push(
    ctx: click.Context,
    reference: str,
    names: tuple[str, ...],
    arch: tuple[str, ...],
    add: bool,
    incomplete: bool,
    as_json: bool,
) -> None:
    """Push what `library build` made, each component as REF/NAME, an index of all its architectures.

    \b
    finback library push registry.example.com/finback:2026.11
    finback build --library-from registry.example.com/finback:2026.11 talk.yml
    """  # noqa: D301
    from finback.app.library.push import Request, push_library
    from finback.cli import table

    platforms = platforms_of(arch) if arch else ()
    request = Request(reference=reference, names=names, platforms=platforms, add=add, incomplete=incomplete)
    with open_workspace(ctx) as workspace:
        done = push_library(request, workspace)
    rows = [
        {
            "reference": p.reference,
            "platforms": list(p.platforms) if as_json else ",".join(x.rpartition("/")[2] for x in p.platforms),
            "size": p.size if as_json else table.size(p.size),
            "digest": p.digest,
        }
        for p in done
    ]
    table.show(rows, as_json=as_json)


@COMMAND.command("status")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--arch", multiple=True, metavar="ARCH,...", help="Architectures. Default: this machine's.")
@click.option(
    "--from", "source", default="", metavar="REF", help="What is published there. Default: what was built here."
)
@click.option("--security", is_flag=True, help="Only what Debian's security archive has a new version of.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def status(
    ctx: click.Context, names: tuple[str, ...], arch: tuple[str, ...], source: str, security: bool, as_json: bool
) -> None:
    """Show which components are not what the archive has now, and which of it is a security update."""
    from finback.app.library.status import library_status
    from finback.cli import table

    with open_workspace(ctx) as workspace:
        found = library_status(names, platforms_of(arch), source, workspace)
    changes = [c for c in found if c.security or not security]
    rows: list[dict[str, Any]] = [
        {
            "name": c.name,
            "platform": c.platform,
            "state": c.state,
            "package": c.package,
            "before": c.before,
            "now": c.now,
            "security": c.security if as_json else "security" * c.security,
        }
        for c in changes
    ]
    table.show(rows, as_json=as_json)
    if not as_json:
        outdated = {(c.name, c.platform) for c in changes}
        urgent = {(c.name, c.platform) for c in changes if c.security}
        _streams.result(f"{len(outdated)} images are outdated, {len(urgent)} of them for security")


@COMMAND.command("measure")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--arch", multiple=True, metavar="ARCH,...", help="Architectures. Default: this machine's.")
@click.option("--record", is_flag=True, help="Write the figures into the components' folders.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def measure(ctx: click.Context, names: tuple[str, ...], arch: tuple[str, ...], record: bool, as_json: bool) -> None:
    """Measure size and surface of what `library build` made, beside what apt would install for the same."""
    from finback.app.library.measure import measure as measuring
    from finback.cli import table
    from finback.ground.canonical import plain

    rows: list[dict[str, Any]] = []
    with open_workspace(ctx) as workspace:
        for job, found in measuring(names, platforms_of(arch), workspace, keep=record):
            row = {"name": job.name, "platform": str(job.platform)}
            people = {
                "size": table.size(found.size),
                "apt": f"{found.closure_size / 1e6:.0f} MB",
                "files": found.files,
                "programs": found.programs,
                "packages": f"{found.packages} of {found.closure_packages}",
                "set-id": len(found.set_id or ()),
                "language": found.language or "",
            }
            rows.append({**row, **(plain(found) if as_json else people)})
    table.show(rows, as_json=as_json)
