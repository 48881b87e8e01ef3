"""The part of `finback component` that boots components."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from finback.cli import _streams
from finback.cli.options import _platform, open_workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from finback.app.workspace import Workspace
    from finback.component.library import Component

# That of the family F7: a machine did not do what it should.
FAILED = 6


def _machine_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what `test` and `probe` say of their machines."""
    for option in (
        click.option(
            "--accel", type=click.Choice(["auto", "kvm", "hvf", "tcg"]), default="auto", show_default=True,
            help="How QEMU runs the guest's instructions; tcg is software emulation.",
        ),
        click.option("--arch", metavar="ARCH", help="Architecture. Default: this machine's."),
        click.option(
            "--together", type=click.IntRange(1), default=8, show_default=True, help="Components in a machine, at most."
        ),
        click.option(
            "--jobs", type=click.IntRange(1), help="Machines at a time. Default: as processors and memory allow."
        ),
        click.option(
            "--patience", type=click.IntRange(1), default=1, show_default=True,
            help="How many times as long as it says a test may take, on busy machines.",
        ),
        click.option("--record", is_flag=True, help="Keep the results in the components' folders."),
        click.option("--all", "every", is_flag=True, help="All components that have a test."),
        click.argument("names", nargs=-1, metavar="NAME..."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("test")
@_machine_options
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a report as JUnit XML, too.")
@click.pass_context
def test(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    every: bool,
    record: bool,
    patience: int,
    jobs: int | None,
    together: int,
    arch: str | None,
    accel: str,
    junit: Path | None,
) -> None:
    """Build components, boot them, and ask what the `test` of each says.

    Components share machines where nothing in them collides; what fails in company is tested again alone. Exit status 6
    when something does not hold.
    """
    from finback.app.component import trial as component_trial
    from finback.app.component.record import record_test
    from finback.app.trial import system as trial
    from finback.cli.test import lines
    from finback.component.bench import subject
    from finback.host import file

    machines = trial.Options(accelerator=accel, jobs=jobs)
    options = component_trial.Options(machines=machines, together=together, platform=_platform(arch), patience=patience)
    done = []
    with open_workspace(ctx) as workspace:
        subjects = [subject(c) for c in _chosen(names, every, workspace)]
        for verdict in component_trial.verdicts(subjects, options, workspace):
            _streams.result("\n".join(lines(verdict.trial)))
            done.append(verdict)
            if record:
                record_test(verdict, options.architecture)
    failed = sorted(v.trial.name for v in done if not v.trial.passed)
    _streams.result(f"{len(done) - len(failed)} of {len(done)} pass" + (f"; not: {' '.join(failed)}" if failed else ""))
    if junit is not None:
        from finback.app.trial.junit import encode

        with file.writing(junit) as out:
            out.write(encode(v.trial for v in sorted(done, key=lambda v: v.trial.name)))
    if failed:
        ctx.exit(FAILED)


@click.command("probe")
@_machine_options
@click.option(
    "--recorded", is_flag=True,
    help="Take the recorded tests, where they are of components as they are, for what comes of these as declared: on "
    "the machine, or one as fast, on which they were recorded.",
)  # fmt: skip
@click.pass_context
def probe(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    every: bool,
    record: bool,
    recorded: bool,
    patience: int,
    jobs: int | None,
    together: int,
    arch: str | None,
    accel: str,
) -> None:
    """Test components with what they declare, then with each privilege taken away.

    Privileges are those that `check` asks reasons for. Exit status 6 when a component has one that its test does not
    need, or fails with what it has.
    """
    from finback.app.component import trial as component_trial
    from finback.app.component.probe import probes
    from finback.app.component.record import passed_in, record_probe
    from finback.app.trial import system as trial
    from finback.cli.test import lines

    machines = trial.Options(accelerator=accel, jobs=jobs)
    options = component_trial.Options(machines=machines, together=together, platform=_platform(arch), patience=patience)
    passed = True
    with open_workspace(ctx) as workspace:
        chosen = _chosen(names, every, workspace)
        known = {c.name: s for c in chosen if recorded and (s := passed_in(c, options.architecture)) is not None}
        for found in probes(chosen, options, workspace, known):
            passed &= found.passed
            words = "; ".join(f"{k}: {', '.join(v)}" for k, v in found.words()) or "nothing to take away"
            _streams.result(f"{found.component.name}: {words}")
            if not found.declared.trial.passed:
                _streams.result("\n".join(lines(found.declared.trial)))
            for diagnostic in found.findings():
                _streams.diagnose(diagnostic, is_result=True)
            if record:
                record_probe(found, options.architecture)
    if not passed:
        ctx.exit(FAILED)


def _chosen(names: tuple[str, ...], every: bool, workspace: Workspace) -> list[Component]:
    """The components that are to be tested.

    Raises:
        FinbackError: F141, there is none of a name; F069, it has no test.

    """
    from finback.ground.diagnostic import FinbackError, error

    if bool(names) == every:
        raise click.UsageError("name components, or give --all")
    known = [workspace.library.get(n) for n in (workspace.library.names() if every else dict.fromkeys(names))]
    testless = [c for c in known if not (c.definition.test and c.definition.test.expect)]
    if testless and not every:
        problems: list[FinbackError] = [
            error(
                "F069",
                f"{c.name} has nothing to test",
                c.definition.origin.at("test"),
                help="give it `test: {expect: [...]}`",
            )
            for c in testless
        ]
        raise FinbackError(*(d for p in problems for d in p.diagnostics))
    return [c for c in known if c not in testless]
