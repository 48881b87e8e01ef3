"""Build systems, boot them, and see whether their `tests` hold."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finback.cli import _streams
from finback.cli.options import input_options
from finback.cli.render import render
from finback.ground.printable import printable_line

if TYPE_CHECKING:
    from finback.app.planning import Inputs
    from finback.app.trial.system import Trial
    from finback.app.workspace import Workspace

# That of the family F7: a machine did not do what it should.
FAILED = 6


@click.command("test")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a report as JUnit XML, too.")
@click.option(
    "--jobs", type=click.IntRange(1), help="Machines at a time. Default: as many as processors and memory allow."
)
@click.option("--mem", "memory", type=click.IntRange(16), help="Memory in MiB, each. Default: what `machine` says.")
@click.option("--cpus", type=click.IntRange(1), help="Processors, each. Default: what `machine` says.")
@click.option(
    "--accel", type=click.Choice(["auto", "kvm", "hvf", "tcg"]), default="auto", show_default=True,
    help="How QEMU runs the guest's instructions; tcg is software emulation.",
)  # fmt: skip
@input_options
@click.pass_context
def COMMAND(  # noqa: N802
    ctx: click.Context,
    /,
    inputs: Inputs,
    workspace: Workspace,
    junit: Path | None,
    jobs: int | None,
    memory: int | None,
    cpus: int | None,
    accel: str,
) -> None:
    """Build each FILE, which is a system of its own, boot it, and ask what its `tests` say.

    Prints what holds and what does not, and where the console logs of failures are. Exit status 6 when something fails.
    """
    if len(inputs.files) > 1 and inputs.name:
        raise click.UsageError("--name is for one FILE")
    from finback.app.trial import system as trials
    from finback.host import file

    every = [replace(inputs, files=(f,)) for f in inputs.files]
    names = [i.build_name for i in every]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise click.UsageError(f"two FILEs are called {twice}")
    options = trials.Options(memory=memory, cpus=cpus, accelerator=accel, jobs=jobs)
    done = []
    for trial in trials.trials(every, options, workspace):
        _streams.result("\n".join(lines(trial)))
        done.append(trial)
    if junit is not None:
        from finback.app.trial.junit import encode

        with file.writing(junit) as out:
            out.write(encode(sorted(done, key=lambda t: names.index(t.name))))
    if not all(t.passed for t in done):
        ctx.exit(FAILED)


def lines(trial: Trial) -> list[str]:
    """What is printed of *trial*."""
    held = sum(o.passed for o in trial.outcomes)
    out = [f"{trial.name}: {held} of {len(trial.outcomes)} hold, {trial.seconds:.1f} s"]
    for outcome in (o for o in trial.outcomes if o.asked):
        out.append(f"  {'ok  ' if outcome.passed else 'FAIL'}  {outcome.seconds:5.1f} s  {outcome.name}")
        if not outcome.passed:
            out.append(f"                 {outcome.seen}  ({outcome.span})")
    unasked = sum(not o.asked for o in trial.outcomes)
    if unasked:
        out.append(f"  --             {unasked} below are not asked, for one above does not hold")
    if trial.trouble:
        out.append(f"  FAIL  the machine did not run: {trial.trouble}")
    if trial.console is not None:
        out.append(f"  console: {trial.console}")
    # What a guest has answered is among them.
    out = [printable_line(line) for line in out]
    out += [render(d, colour=_streams.is_colourful(sys.stdout)) for d in trial.causes]
    return out
