"""Stopping a machine in as much time as its services may take, and saying what it waits for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from finback.app.machine import running as machines
from finback.app.machine import session
from finback.app.machine.running import Running
from finback.app.machine.service_state import service_states
from finback.ground.diagnostic import FinbackError
from finback.ground.event import Emit, Noted
from finback.host import clock

SECONDS = 30.0
"""For a guest whose services can't be asked for, and for all that stops beside them: `onshutdown`, file systems."""
MARGIN = 2.0
"""That the guest itself gives a service beyond its limit."""
MOST = 3600.0
"""What a guest may ask for."""
ASKING_SECONDS = 5.0
ANSWER_LIMIT = 1 << 18
# A message when what is waited for changes, but not for what stops within this time.
PATIENCE = 3.0
# Services that stop one group after another, a group a line; the limits are in milliseconds.
LIMITS = """
[ ! -e /etc/finback/services ] || while read -r names; do
	for name in $names; do
		limit=5000
		[ ! -e "/run/service/$name/timeout-kill" ] || read -r limit <"/run/service/$name/timeout-kill"
		printf '%s %s ' "$name" "$limit"
	done
	echo
done </etc/finback/services
"""
_LIMIT = re.compile(r"([A-Za-z0-9_.@-]{1,255}) (\d{1,9}) ")
# States of a service that has a program to stop.
_RUNNING = ("started", "up", "ready", "unready", "ill")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long the services of a guest may take to stop, in seconds."""

    services: dict[str, float]
    total: float
    """For all of them: groups stop one after another, the services of a group at the same time."""


def limits(machine: Running) -> Limits:
    """The limits that the guest of *machine* names; none when it can't be asked."""
    said = bytearray()

    def output(piece: bytes) -> None:
        said.extend(piece[: ANSWER_LIMIT - len(said)])

    try:
        request = session.Request(words=("sh", "-c", LIMITS), timeout=ASKING_SECONDS)
        session.execute(machine, request, output, lambda _: None)
    except FinbackError:
        return Limits(services={}, total=0)
    groups = [_LIMIT.findall(line) for line in said.decode("utf-8", "replace").splitlines()]
    services = {name: int(limit) / 1000 for group in groups for name, limit in group}
    total = sum(max(int(limit) / 1000 for _, limit in group) + MARGIN for group in groups if group)
    return Limits(services=services, total=total)


def stop(machine: Running, timeout: float | None, emit: Emit) -> str:
    """Stop *machine* as `running.stop` does. *timeout*: seconds; None: as long as the guest's services may take.

    What is waited for is said by `Noted`.

    Raises:
        FinbackError: F531, the process can't be ended.

    """
    found = Limits(services={}, total=0) if timeout is not None or not machine.alive else limits(machine)
    seconds = timeout if timeout is not None else min(MOST, SECONDS + found.total)
    began = clock.monotonic()
    said = ""

    def waiting() -> None:
        nonlocal said
        if clock.monotonic() - began < PATIENCE:
            return
        left = max(0.0, seconds - (clock.monotonic() - began))
        names = _names(machine, found)
        text = f"waiting for {names}" if names else "waiting for the guest to power off"
        if text != said:
            said = text
            emit(Noted(text=f"{text}; its process is ended in {left:.0f} s"))

    return machines.stop(machine, seconds, waiting)


def _names(machine: Running, found: Limits) -> str:
    """What the guest still has to stop: services with their limits, or a boot step at shutdown; "" when unknown."""
    reports = machine.events()
    # A guest that has restarted by itself reports several boots.
    boots = [n for n, r in enumerate(reports) if (r.stage, r.name, r.event) == ("init", "init", "started")]
    reports = reports[boots[-1] if boots else 0 :]
    began = next((n for n, r in enumerate(reports) if (r.stage, r.event) == ("shutdown", "started")), None)
    if began is None:
        return ""
    names = [s.name for s in service_states(reports).values() if s.state in _RUNNING]
    limits = ((n, found.services.get(n)) for n in names)
    services = [n if limit is None else f"{n} (up to {limit:.0f} s)" for n, limit in limits]
    steps = [r.name for r in reports[began:] if r.stage not in ("service", r.name) and r.event == "started"]
    ended = {r.name for r in reports[began:] if r.event in ("done", "failed")}
    return ", ".join(services or [s for s in steps if s not in ended][-1:])
