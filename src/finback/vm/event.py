"""What happens to a machine, as values: what its guest reports, and what its QEMU does.

Source: QEMU's manual, "QMP Reference", events.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from finback.app.machine.running import Running
from finback.app.machine.timeline import Report
from finback.backends.qemu import EVENTS_SOCKET
from finback.host import clock, qmp

INTERVAL = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that has happened."""

    at: float
    """Seconds after the start of the machine, when it was seen here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported(Event):
    """The guest said something about itself: a boot step is done, a service is ready."""

    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(Event):
    """It stands still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Event):
    """It goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(Event):
    """It has been reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed(Event):
    """The guest has let go of a disk."""

    disk: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Event):
    """It has ended; nothing comes after this."""

    reason: str
    """QEMU's word: `guest-shutdown`, `host-qmp-quit`, `guest-panic`, ...; "" when it was ended by force."""


def events(machine: Running, timeout: float) -> Iterator[Event]:
    """Events of *machine*: all that the guest has reported, and what happens from now on, until it ends.

    QEMU tells what it does to one listener at a time; a second one gets the guest's reports, and the end. There are no
    more after *timeout* seconds.
    """
    limit = clock.monotonic() + timeout
    came: queue.SimpleQueue[Event] = queue.SimpleQueue()
    over = threading.Event()
    reason: list[str] = []

    def heard(name: str, data: Mapping[str, object]) -> None:
        if name == "SHUTDOWN":
            reason.append(str(data.get("reason", "")))
        made = _event(name, data, machine.uptime)
        if made is not None:
            came.put(made)

    path = machine.sockets / EVENTS_SOCKET
    listener = threading.Thread(target=qmp.listen, args=(path, heard, over.is_set), daemon=True)
    listener.start()
    seen = 0
    try:
        while clock.monotonic() < limit:
            last = not machine.alive
            # After a return to an earlier state there are fewer.
            seen = min(seen, machine.reported())
            for at, report in machine.placed(seen):
                seen = at
                yield Reported(at=machine.uptime, report=report)
            while not came.empty():
                yield came.get()
            if last:
                yield Ended(at=machine.uptime, reason=reason[-1] if reason else "")
                return
            clock.sleep(INTERVAL)
    finally:
        over.set()
        listener.join(5)


def _event(name: str, data: Mapping[str, object], at: float) -> Event | None:
    simple = {"STOP": Paused, "RESUME": Resumed, "RESET": Restarted}
    if name in simple:
        return simple[name](at=at)
    if name == "DEVICE_DELETED" and "device" in data:
        return Removed(at=at, disk=str(data["device"]))
    return None
