"""How the services of a machine stand, by what the guest has reported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from finback.app.machine.timeline import Report

RUNNING = ("up", "ready")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service."""

    name: str
    state: str
    """waiting, started, up, ready, unready, ill, stopped, done or failed."""
    since: float
    """When it came to that, in seconds since the guest's kernel started."""
    starts: int = 0
    status: int | None = None
    """How its last run ended."""
    been: frozenset[str] = frozenset()
    """All states that it has been in since the moment that is asked about."""
    well: str = "up"
    """What it is once it is no longer ill: up or ready."""

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, self.starts - 1)


def service_states(reports: Iterable[Report], since: int = 0) -> dict[str, ServiceStatus]:
    """The services of one boot, in the order in which they were first heard of. A later boot begins anew.

    The moment that is asked about lies after *since* reports.
    """
    known: dict[str, ServiceStatus] = {}
    count = 0
    for report in reports:
        if count == since:
            known = _from_here(known)
        count += 1
        if (report.stage, report.name, report.event) == ("init", "init", "started"):
            known = {}
        if report.stage != "service":
            continue
        before = known.get(report.name) or ServiceStatus(name=report.name, state="", since=0)
        ended = report.event in ("stopped", "done", "failed")
        state = before.well if report.event == "well" else report.event
        known[report.name] = replace(
            before,
            state=state,
            since=report.uptime,
            starts=before.starts + (report.times if report.event == "started" else 0),
            status=report.status if ended else before.status,
            been=before.been | {state},
            well=state if state in RUNNING else before.well,
        )
    return known if count > since else _from_here(known)


def _from_here(known: dict[str, ServiceStatus]) -> dict[str, ServiceStatus]:
    return {name: replace(s, been=frozenset({s.state})) for name, s in known.items()}
