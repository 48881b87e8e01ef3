"""A command in a machine that runs, its input and output passed through a serial port.

The guest's end is usr/lib/finback/session, which says how the lines are. Source: virtio 1.2, section 5.3, "Console
Device".
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from finback.app.machine.running import Running, listens, must_run
from finback.backends.qemu import CONTROL_SOCKET, SESSIONS, TERMINALS, session_socket, terminal_socket
from finback.ground.diagnostic import error
from finback.host import folder, port, terminal
from finback.host.channel import Channel

# The guest starts a shell script; where machines are emulated and busy that takes its time.
ANSWER_SECONDS = 20.0
# What the serial port's other end reads as one line.
REQUEST_LIMIT = 16 << 10
# Of an exit status.
STATUS_DIGITS = 3

# The beginning of a script that looks at the files of a service's container, or of the machine when $1 is empty: $path
# is $2, and "$@" what a command is put behind. The machine's busybox works within a container's namespaces, too, for it
# finds itself by /proc: containers need no program for it.
ENTER = """
service=$1 path=$2
shift 2
if [ -n "$service" ]; then
	read -r pid <"/run/service/$service/pid" || exit
	set -- nsenter -t "$pid" -m -p "$@"
fi
"""

Sink = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to run."""

    words: tuple[str, ...]
    service: str = ""
    """The container to run it in. Default: the machine itself."""
    source: int | None = None
    """File descriptor that its input is read from. None: it has none."""
    timeout: float | None = None
    """Seconds that it may take. Default: no limit."""

    def encoded(self) -> bytes:
        """The request as a line."""
        kind = ["container", self.service] if self.service else ["machine"]
        words = [b"-" + base64.b64encode(w.encode("utf-8", "surrogateescape")) for w in self.words]
        return b" ".join([*(k.encode() for k in kind), *words])


def execute(machine: Running, request: Request, output: Sink, errors: Sink) -> int:
    """Run the command of *request* in *machine* to its end: its exit status. What it writes goes to the sinks.

    Raises:
        FinbackError: F527 the machine does not run; F535 its guest does not serve commands; F536 all its ports are in
            use; F534 the command is too long; F701 the guest broke off;
            F547 it takes longer than it may.

    """
    line = request.encoded()
    if len(line) > REQUEST_LIMIT:
        raise error("F534", "the command is too long", help="send what is long as its input: ... -- sh <FILE")
    status: list[int] = []

    def heard(text: bytes) -> bool:
        mark, _, data = text.partition(b" ")
        if mark == b"=" and data.isdigit() and len(data) <= STATUS_DIGITS:
            status.append(int(data))
            return True
        sink = {b">": output, b"!": errors}.get(mark)
        if sink is not None:
            sink(_decoded(data))
        return False

    with _session(machine) as channel:
        channel.send(line)
        if request.source is None:
            channel.send(b"< 0")
        channel.converse(
            heard, lambda piece: channel.send(b"< %d" % len(piece), piece), request.source, request.timeout
        )
    if not status and request.timeout is not None and machine.alive:
        raise error("F547", f"the command takes more than {request.timeout:.0f} seconds", help="give it more time")
    if not status:
        raise error("F701", f"{machine.name} broke off", help="it may have ended; `finback ps` lists what runs")
    return status[0]


def converse(machine: Running, request: Request) -> int:
    """Run the command of *request* on a terminal in *machine*, which this process's terminal becomes: its exit status.

    Keys go there as they are, Ctrl-C too; a change of the window's size is passed on.

    Raises:
        FinbackError: as `execute`; F545, all terminals of the machine are in use, or it has none.

    """
    for number in range(TERMINALS):
        with folder.locked(machine.state / f"terminal{number}.lock") as free:
            if free:
                return _converse(machine, request, number)
    raise error("F545", f"{TERMINALS} terminals of {machine.name} are in use already", help="leave one of them")


def _converse(machine: Running, request: Request, number: int) -> int:
    rows, columns = terminal.size()
    head = f"terminal {number} {rows} {columns} {terminal.kind()} ".encode()
    status: list[int] = []
    said = bytearray()

    def heard(text: bytes) -> bool:
        mark, _, data = text.partition(b" ")
        if mark == b"!":
            said.extend(_decoded(data))
        if mark == b"=" and data.isdigit() and len(data) <= STATUS_DIGITS:
            status.append(int(data))
        return bool(status)

    with _session(machine) as channel:
        connection = port.connected(machine.sockets / terminal_socket(number))
        if connection is None:
            raise error("F545", f"{machine.name} has no terminal", help="stop it and start it anew by this finback")
        with terminal.lent(), connection, terminal.resizes() as changes:
            channel.send(head + request.encoded())
            with terminal.joined(connection):

                def resized(_: bytes) -> None:
                    channel.send(b"size %d %d" % terminal.size())

                channel.converse(heard, resized, changes, None)
    if not status:
        raise error("F701", f"{machine.name} broke off", help="it may have ended; `finback ps` lists what runs")
    if said:
        raise error("F545", said.decode("utf-8", "replace").strip(), help="see what runs: finback status NAME")
    return status[0]


def _decoded(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        return b""


@contextmanager
def _session(machine: Running) -> Iterator[Channel]:
    """A connection to a shell script that was started for it."""
    must_run(machine)
    if not listens(machine):
        raise error(
            "F535",
            f"nothing in {machine.name} listens for commands",
            help="wait until it has booted; only guests with finback/init can be asked",
        )
    for number in range(SESSIONS):
        with folder.locked(machine.state / f"session{number}.lock") as free:
            if free:
                yield from _opened(machine, number)
                return
    raise error("F536", f"{SESSIONS} commands run in {machine.name} already", help="end one of them")


def _opened(machine: Running, number: int) -> Iterator[Channel]:
    channel = Channel.open(machine.sockets / session_socket(number))
    control = port.send_line(machine.sockets / CONTROL_SOCKET, f"session {number}")
    try:
        if (
            channel is None
            or control is None
            or not channel.converse(lambda line: line == b"ok", lambda _: None, None, ANSWER_SECONDS)
        ):
            raise error(
                "F535", f"{machine.name} does not answer", help="its init may be older than this finback: build it anew"
            )
        control.close()
        yield channel
    finally:
        for connection in (channel, control):
            if connection is not None:
                connection.close()
