"""How the guest's init treats a container, with every default filled in. Times are in seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from finback.spec import signal
from finback.spec.model import Item
from finback.spec.supervision import Backoff, FailurePolicy, Health, Ready, RestartPolicy, Stop

# s6's own least time between starts, and what LinuxKit's containerd gives a process to stop.
FIRST_WAIT, LONGEST_WAIT, READY_SECONDS, STOP_SECONDS = 1, 60, 60, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """Of a service: all but `on_failure` and `limit`; of a step: these two."""

    needs: tuple[str, ...] = ()
    restart: RestartPolicy = "always"
    first_wait: int = FIRST_WAIT
    longest_wait: int = LONGEST_WAIT
    starts: int = 0
    """Starts within `window` seconds, at most; 0 is no limit."""
    window: int = 0
    ready: Ready | None = None
    ready_within: int = READY_SECONDS
    health: Health | None = None
    """With every default filled in."""
    stop_signal: str = "SIGTERM"
    """As `signal.parse` spells it."""
    stop_within: int = STOP_SECONDS
    on_failure: FailurePolicy = "continue"
    limit: int = 0
    """How long a step may take; 0 is no limit."""


def supervision(item: Item, image_signal: str = "") -> Supervision:
    """What *item* says, completed; *image_signal* is the `StopSignal` of its image.

    Raises:
        ValueError: what stops it is not a signal.

    """
    backoff, stop = item.backoff or Backoff(), item.stop or Stop()
    first = backoff.first or FIRST_WAIT
    return Supervision(
        needs=tuple(dict.fromkeys(item.needs or ())),
        restart=item.restart or "always",
        first_wait=first,
        longest_wait=backoff.most or max(first, LONGEST_WAIT),
        starts=item.start_limit.starts if item.start_limit else 0,
        window=item.start_limit.within if item.start_limit else 0,
        ready=item.ready,
        ready_within=(item.ready.timeout if item.ready else None) or READY_SECONDS,
        health=_health(item.health),
        stop_signal=signal.parse(stop.signal or image_signal or "SIGTERM"),
        stop_within=stop.timeout or STOP_SECONDS,
        on_failure=item.on_failure or "continue",
        limit=item.timeout or 0,
    )


def _health(health: Health | None) -> Health | None:
    if health is None:
        return None
    return replace(
        health,
        interval=health.interval or 30,
        timeout=health.timeout or 10,
        retries=health.retries or 3,
        start_period=health.start_period or 0,
        on_failure=health.on_failure or "restart",
    )
