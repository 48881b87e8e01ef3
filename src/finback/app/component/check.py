"""Check components: their text, what was recorded of them, and, when asked, whether they can be built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from finback.app.component.build import build_components
from finback.app.component.record import probed, tested
from finback.app.workspace import Workspace
from finback.component.check import check
from finback.component.library import Component
from finback.component.measurement import measured
from finback.ground.diagnostic import Diagnostic, FinbackError, Severity
from finback.ground.platform import Platform


def check_components(
    names: Iterable[str], platforms: Sequence[Platform], workspace: Workspace
) -> tuple[Diagnostic, ...]:
    """All findings about *names*, in their order; built for each of *platforms*.

    Raises:
        FinbackError: F141, there is no such component.

    """
    found: list[Diagnostic] = []
    for name in dict.fromkeys(names):
        try:
            component = workspace.library.get(name)
        except FinbackError as failure:
            if failure.diagnostics[0].code == "F141":
                raise
            found += failure.diagnostics
            continue
        findings = [*check(component), *_records(component), *_builds(component, platforms, workspace)]
        found += sorted(findings, key=lambda d: (d.span.line, d.span.column) if d.span else (0, 0))
    return tuple(found)


def _records(component: Component) -> Iterator[Diagnostic]:
    """What was recorded of another state of the component, or is bad."""
    for record, command in ((tested(component), "test"), (probed(component), "probe")):
        if record is None:
            continue
        if record.digest != str(component.proof_digest):
            yield Diagnostic(
                code="F107",
                message=f"{component.name} has changed since its last {command}",
                span=component.definition.origin.at("test"),
                help=f"finback component {command} --record {component.name}",
                severity=Severity.WARNING,
            )
        elif not record.passed:
            yield Diagnostic(
                code="F108",
                message=f"the last {command} of {component.name} failed",
                span=record.origin.span,
                help=f"mend it, then: finback component {command} --record {component.name}",
            )
    old = [m for m in measured(component).values() if m.digest != str(component.digest)]
    if old:
        again = f"--arch {','.join(m.architecture for m in old)} {component.name}"
        yield Diagnostic(
            code="F107",
            message=f"{component.name} has changed since it was measured",
            span=old[0].origin.span,
            help=f"finback library build {again}, then finback library measure --record {again}",
            severity=Severity.WARNING,
        )


def _builds(component: Component, platforms: Sequence[Platform], workspace: Workspace) -> Iterator[Diagnostic]:
    for platform in platforms:
        if platform.architecture in (component.definition.exceptions or {}):
            continue
        try:
            build_components((component.name,), (platform,), workspace)
        except FinbackError as failure:
            yield from failure.diagnostics
