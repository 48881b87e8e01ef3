"""A switch for Ethernet frames between virtual machines, without privileges: a process that they connect to.

Each connection to its unix socket is a port; a frame has its length before it, 4 bytes, the highest first, as QEMU's
`-netdev stream` has it. Frames go to the port on which their destination was last seen, else to all others. What a port
can't take is dropped beyond a limit, as switches do. The process ends some seconds after its last port has gone.

Source: IEEE 802.1D, section 7 (learning, flooding); QEMU 7.2, net/stream.c.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

from finback.ground.diagnostic import error
from finback.host import child
from finback.host.process import Command

FRAME_LIMIT = 68 << 10
WAITING_LIMIT = 4 << 20
IDLE_SECONDS = 10.0
ANSWER_SECONDS = 20.0
PIECE = 256 << 10


class Port:
    """A connection, with what has come of a frame and what waits to be sent."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.coming = bytearray()
        self.waiting = bytearray()

    def take(self) -> list[bytes] | None:
        """Whole frames that have come; None when the connection has ended, or says what no frame can be."""
        try:
            piece = self.connection.recv(PIECE)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not piece:
            return None
        self.coming += piece
        frames, at = [], 0
        while len(self.coming) - at >= 4:
            length = int.from_bytes(self.coming[at : at + 4], "big")
            if length > FRAME_LIMIT:
                return None
            if len(self.coming) - at - 4 < length:
                break
            frames.append(bytes(self.coming[at + 4 : at + 4 + length]))
            at += 4 + length
        del self.coming[:at]
        return frames

    def give(self, frame: bytes) -> None:
        """Send *frame*, or drop it when too much waits already."""
        if len(self.waiting) < WAITING_LIMIT:
            self.waiting += len(frame).to_bytes(4, "big") + frame

    def flush(self) -> None:
        """Send what can be sent."""
        try:
            while self.waiting:
                del self.waiting[: self.connection.send(self.waiting)]
        except OSError:
            # It is full, which the selector tells when it is over, or gone, which reading tells.
            pass


class Switch:
    """Ports, and where each address was last seen."""

    def __init__(self) -> None:
        self.ports: list[Port] = []
        self.seen: dict[bytes, Port] = {}

    def forward(self, frame: bytes, came: Port) -> list[Port]:
        """Hand *frame* on; the ports that now have something to send."""
        if len(frame) < 14:
            return []
        destination, origin = frame[:6], frame[6:12]
        if not origin[0] & 1:
            self.seen[origin] = came
        known = None if destination[0] & 1 else self.seen.get(destination)
        targets = [p for p in (self.ports if known is None else [known]) if p is not came]
        for port in targets:
            port.give(frame)
        return targets

    def remove(self, port: Port) -> None:
        """Forget *port*."""
        self.ports.remove(port)
        self.seen = {address: p for address, p in self.seen.items() if p is not port}
        port.connection.close()


def serve(listener: socket.socket, idle: float = IDLE_SECONDS) -> None:
    """Switch frames between the connections to *listener*, until there has been none for *idle* seconds."""
    switch = Switch()
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        last = time.monotonic()
        while switch.ports or time.monotonic() - last < idle:
            for key, _ in selector.select(idle / 4):
                if key.data is None:
                    with suppress(OSError):
                        connection, _ = listener.accept()
                        connection.setblocking(False)
                        switch.ports.append(Port(connection))
                        selector.register(connection, selectors.EVENT_READ, switch.ports[-1])
                elif key.data in switch.ports:
                    _serve_port(key.data, switch, selector)
            if switch.ports:
                last = time.monotonic()


def _serve_port(port: Port, switch: Switch, selector: selectors.BaseSelector) -> None:
    frames = port.take()
    if frames is None:
        selector.unregister(port.connection)
        switch.remove(port)
        return
    changed = {port}
    for frame in frames:
        changed.update(switch.forward(frame, port))
    for other in changed:
        other.flush()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if other.waiting else 0)
        selector.modify(other.connection, wanted, other)


def plugged(path: Path) -> socket.socket:
    """A port of the switch at *path*, which is started if it does not run, and lives while the port is open.

    Raises:
        FinbackError: F539, it does not start.

    """
    limit = time.monotonic() + ANSWER_SECONDS
    started = False
    while time.monotonic() < limit:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
        else:
            return connection
        if not started:
            _start(path)
            started = True
        time.sleep(0.02)
    raise error("F539", f"the switch at {path} does not answer", help="see whether its folder can be written to")


def _start(path: Path) -> None:
    # It outlives this process, as the machines do.
    child.detached(Command(argv=(sys.executable, "-m", "finback.host.switch", str(path))), Path(os.devnull))


def main(path: Path) -> None:
    """Be the switch whose socket is *path*, unless one is there already."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(temporary))
        listener.listen(64)
        try:
            # Who finds the socket can connect to it; the second of two that start at once gives way.
            os.link(temporary, path)
        except FileExistsError:
            if _answers(path):
                return
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        number = path.stat().st_ino
        try:
            serve(listener)
        finally:
            with suppress(OSError):
                if path.stat().st_ino == number:
                    path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]))
