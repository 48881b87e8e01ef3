"""How the services of a machine stand, by what the guest has reported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from finback.app.timeline import Report

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

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, self.starts - 1)


def service_states(reports: Iterable[Report], since: int = 0) -> dict[str, ServiceStatus]:
    """The services of one boot, in the order in which they were first heard of. A later boot begins anew.

    The moment that is asked about lies after *since* reports.
    """
    known: dict[str, ServiceStatus] = {}
    for number, report in enumerate(reports):
        if number == since:
            known = {name: replace(s, been=frozenset({s.state})) for name, s in known.items()}
        if (report.stage, report.name, report.event) == ("init", "init", "started"):
            known = {}
        if report.stage != "service":
            continue
        before = known.get(report.name) or ServiceStatus(name=report.name, state="", since=0)
        ended = report.event in ("stopped", "done", "failed")
        # Well again, it is what it was.
        state = ("ready" if "ready" in before.been else "up") if report.event == "well" else report.event
        known[report.name] = replace(
            before,
            state=state,
            since=report.uptime,
            starts=before.starts + (report.event == "started"),
            status=report.status if ended else before.status,
            been=before.been | {report.event},
        )
    return known
