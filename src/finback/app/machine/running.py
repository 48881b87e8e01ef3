"""Machines that run: found again by what they left in their state folder, asked for events, stopped.

A machine's state folder holds `machine.json`, written before its process starts, and `pid`, which the process writes.
The process has the machine's UUID among its arguments. So a machine is known for what it is even when the finback that
started it was killed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from finback.app.machine.timeline import Report, parse_line
from finback.backends import Forward
from finback.backends.qemu import (
    CONSOLE,
    CONTROL_SOCKET,
    EVENTS,
    EVENTS_SOCKET,
    PASST_PID,
    PASST_SOCKET,
    PID,
    QMP_SOCKET,
    RECORDER_PID,
    SESSIONS,
    TERMINALS,
    TPM_PID,
    TPM_SOCKET,
    session_socket,
    terminal_socket,
)
from finback.codec import strict_json
from finback.ground.diagnostic import FinbackError, error
from finback.host import child, clock, environment, file, folder, journal, port, qmp

RECORD = "machine.json"
LOCK = "lock"
RECORD_LIMIT = 1 << 20
# What a machine that is gone leaves behind and nobody needs: its logs stay.
TRANSIENT = (
    PID, RECORDER_PID, f"{CONSOLE}.pipe", f"{EVENTS}.pipe", QMP_SOCKET, CONTROL_SOCKET, EVENTS_SOCKET,
    TPM_PID, TPM_SOCKET, PASST_PID, PASST_SOCKET,
    *(session_socket(n) for n in range(SESSIONS)), *(terminal_socket(n) for n in range(TERMINALS)),
)  # fmt: skip
# What each stronger way to end a process gets, in seconds.
GRACE = 5.0
# How often a guest that listens to nothing yet is asked to power off.
AGAIN = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A machine that was started. Times are in seconds since 1970."""

    name: str
    uuid: str
    started: float
    state: Path
    sockets: Path
    forwards: tuple[Forward, ...] = ()
    detached: bool = True
    guest: str = ""
    """The address that the guest gives itself, to which forwarded ports lead. Default: the one that DHCP gives."""

    @property
    def pid(self) -> int:
        """Its process, or 0 when there is none."""
        return self._process(PID, self.uuid)

    def _process(self, name: str, word: str) -> int:
        try:
            text = file.read(self.state / name, limit=64).decode("ascii", "replace").strip()
        except FinbackError:
            return 0
        number = int(text) if text.isdecimal() and len(text) < 10 else 0
        return number if child.is_ours(number, word) else 0

    @property
    def alive(self) -> bool:
        """Whether its process is there, or the one that writes down what it said last: then all of that can be read."""
        return bool(self.pid or self._process(RECORDER_PID, str(self.state)))

    @property
    def uptime(self) -> float:
        """Seconds since it was started, whether it still runs or not."""
        return clock.now() - self.started

    @property
    def console(self) -> Path:
        """The file with what its console has shown."""
        return self.state / CONSOLE

    def placed(self, since: int = 0, until: int | None = None) -> list[tuple[int, Report]]:
        """What the guest has reported between two positions, each report with the position after it.

        A position is a number of bytes. A line that is still being written is left out.
        """
        found = ((at, parse_line(line)) for at, line in journal.lines(self.state / EVENTS, since, until))
        return [(at, report) for at, report in found if report is not None]

    def events(self, since: int = 0, until: int | None = None) -> tuple[Report, ...]:
        """The boot timeline so far, as the guest reported it."""
        return tuple(report for _, report in self.placed(since, until))

    def reported(self) -> int:
        """The position after what the guest has reported."""
        return journal.end(self.state / EVENTS)

    def follow(self, timeout: float) -> Iterator[tuple[float, Report]]:
        """Reports as they come, with the seconds since the start at which each was seen here; for *timeout* seconds."""
        limit, seen = clock.monotonic() + timeout, 0
        while True:
            last = not self.alive
            for at, report in self.placed(seen):
                seen = at
                yield self.uptime, report
            if last or not child.until(self._more_than(seen), max(0.0, limit - clock.monotonic())):
                return

    def _more_than(self, seen: int) -> Any:
        return lambda: self.events(seen) or not self.alive


def machines_folder() -> Path:
    """Where the state of machines is kept that name no folder of their own."""
    return environment.state_folder() / "machines"


def _elsewhere() -> Path:
    """Symbolic links to the state folders that users named."""
    return environment.state_folder() / "elsewhere"


def remember(machine: Running) -> None:
    """Write down that *machine* is about to run."""
    body = {
        "name": machine.name,
        "uuid": machine.uuid,
        "started": machine.started,
        "sockets": str(machine.sockets),
        "detached": machine.detached,
        "guest": machine.guest,
        "forwards": [[f.host, f.guest, f.protocol, f.address] for f in machine.forwards],
    }
    with file.writing(machine.state / RECORD) as out:
        out.write(json.dumps(body).encode())
    if machine.state.parent != machines_folder():
        folder.point(_link(machine.state), machine.state)


def forget(machine: Running) -> None:
    """Remove what says that *machine* runs; the logs stay."""
    folder.sweep(machine.state, (RECORD,))
    sweep(machine)
    folder.sweep(_elsewhere(), (_link(machine.state).name,))


def sweep(machine: Running) -> None:
    """Remove the sockets and the process id that *machine*, which has ended, left behind."""
    for place in {machine.state, machine.sockets}:
        folder.sweep(place, TRANSIENT)
    if machine.sockets != machine.state:
        folder.remove_if_empty(machine.sockets)


def _link(state: Path) -> Path:
    return _elsewhere() / sha256(str(state).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def load(state: Path) -> Running | None:
    """The machine whose state folder is *state*, or None when there is no record of one."""
    try:
        body = strict_json.plain(file.read(state / RECORD, limit=RECORD_LIMIT))
        return Running(
            name=str(body["name"]),
            uuid=str(body["uuid"]),
            started=float(body["started"]),
            state=state,
            sockets=Path(body["sockets"]),
            forwards=tuple(Forward(host=h, guest=g, protocol=p, address=a) for h, g, p, a in body["forwards"]),
            detached=bool(body["detached"]),
            guest=str(body.get("guest", "")),
        )
    except (FinbackError, ValueError, KeyError, TypeError):
        return None


def listing() -> Iterator[Running]:
    """The machines that run, and those that ended by themselves since; what the latter left behind is swept."""
    places = [*sorted(machines_folder().glob("*")), *(p.resolve() for p in sorted(_elsewhere().glob("*")))]
    for place in places:
        found = load(place)
        if found is None:
            continue
        if not found.alive:
            with folder.locked(found.state / LOCK) as free:
                if free and not found.alive:
                    sweep(found)
        yield found


def must_run(machine: Running) -> None:
    """Refuse what only a machine that runs can do.

    Raises:
        FinbackError: F527, *machine* does not run.

    """
    if not machine.alive:
        raise error("F527", f"{machine.name} does not run", help=f"finback run --detach {machine.name}")


def find(name: str, state: Path | None = None) -> Running:
    """The machine called *name*, or the one in the folder *state*.

    Raises:
        FinbackError: F527, there is none, or there are several.

    """
    if state is not None:
        found = load(state.absolute())
        if found is None:
            raise error("F527", f"there is no machine in {state}", help="`finback ps` lists the machines")
        return found
    known = list(listing())
    named = [m for m in known if m.name == name]
    named = [m for m in named if m.alive] or named
    if len(named) > 1:
        places = ", ".join(str(m.state) for m in named)
        raise error("F527", f"several machines are called {name}", help=f"name its folder with --state: {places}")
    if not named:
        names = ", ".join(m.name for m in known)
        advice = f"known: {names}; `finback ps` lists them" if names else "start one with `finback run`"
        raise error("F527", f"there is no machine {name}", help=advice)
    return named[0]


def stop(machine: Running, timeout: float, waiting: Callable[[], None] = lambda: None) -> str:
    """Stop *machine*: the guest is asked first, its process ended after *timeout* seconds. How it went.

    *waiting* is called again and again while the guest has its time.

    Returns:
        "stopped" when the guest went by itself, "ended" when its process was ended, "gone" when it was not running.

    Raises:
        FinbackError: F531, the process can't be ended.

    """
    lock = machine.state / LOCK
    # One that is being started is waited for.
    child.until(lambda: machine.alive or _is_free(lock), GRACE)
    pid, how = machine.pid, "gone"
    if pid:
        how = "stopped" if _asked(machine, pid, timeout, waiting) else "ended"
        if how == "ended":
            qmp.execute(machine.sockets / QMP_SOCKET, "quit", GRACE)
            child.gone(pid, machine.uuid, GRACE)
        if not child.end(pid, machine.uuid, GRACE):
            raise error("F531", f"process {pid} of {machine.name} can't be ended", help=f"end it: kill -9 {pid}")
    # What it said last is still being written down.
    child.until(lambda: not machine.alive, GRACE)
    with folder.locked(lock) as free:
        # Whoever holds it, the finback in the foreground, does the same now.
        if free:
            forget(machine)
    return how


def _is_free(lock: Path) -> bool:
    with folder.locked(lock) as free:
        return free


def _asked(machine: Running, pid: int, timeout: float, waiting: Callable[[], None]) -> bool:
    """Ask the guest to power off: by the line that its init reads, or by the power button. Whether it did."""
    end = clock.monotonic() + timeout

    def gone(seconds: float) -> bool:
        def holds() -> bool:
            waiting()
            return not child.is_ours(pid, machine.uuid)

        return child.until(holds, seconds)

    while True:
        with told(machine, "poweroff") as heard:
            if heard and gone(timeout / 2):
                return True
            qmp.execute(machine.sockets / QMP_SOCKET, "system_powerdown", GRACE)
            left = max(0.0, end - clock.monotonic())
            # A guest that has only begun hears neither: it is asked again.
            if gone(left if heard else min(AGAIN, left)):
                return True
        if heard or clock.monotonic() >= end:
            return False


@contextmanager
def told(machine: Running, word: str) -> Iterator[bool]:
    """Write *word* to the guest's init, which reads it within the block. Whether that is there to hear it."""
    control = None
    if listens(machine):
        control = port.send_line(machine.sockets / CONTROL_SOCKET, word)
    try:
        yield control is not None
    finally:
        if control is not None:
            control.close()


def cut(machine: Running) -> None:
    """End *machine* on the spot, as when its power fails.

    Raises:
        FinbackError: F531, the process can't be ended.

    """
    if not child.kill(machine.pid, machine.uuid, GRACE):
        raise error("F531", f"process {machine.pid} of {machine.name} can't be ended", help=f"kill -9 {machine.pid}")
    stop(machine, 0)


def listens(machine: Running) -> bool:
    """Whether something in the guest has opened the control port."""
    answer = qmp.execute(machine.sockets / QMP_SOCKET, "query-chardev", GRACE)
    if not isinstance(answer, list):
        return False
    return any(c.get("label") == "control" and c.get("frontend-open") for c in answer if isinstance(c, dict))
