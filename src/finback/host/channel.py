"""Lines over a unix socket, both ways at once: what a process says, and what this one's standard input has for it."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable
from pathlib import Path

LINE_LIMIT = 1 << 16
PIECE = 32 << 10


class Channel:
    """A connection. Lines are bytes without their end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setblocking(False)
        self._out = bytearray()
        self._in = bytearray()

    @classmethod
    def open(cls, path: Path) -> Channel | None:
        """The connection to who listens at *path*; None when nobody does."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(1)
            connection.connect(str(path))
        except OSError:
            connection.close()
            return None
        return cls(connection)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def send(self, line: bytes, data: bytes = b"") -> None:
        """Have *line*, and *data* as it is after it, sent by the `converse` that is next or under way."""
        self._out += line + b"\n" + data

    def converse(
        self, heard: Callable[[bytes], bool], read: Callable[[bytes], None], source: int | None, timeout: float | None
    ) -> bool:
        """Send and receive until *heard*, which gets each line, says that it was the last. Whether it was.

        *read* gets what the file descriptor *source* has, and b"" once when it ends. That is only read while nothing
        waits to be sent, so that neither side can block the other. False: the connection has ended, or *timeout*
        seconds are over.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        while True:
            while (line := self._next()) is not None:
                if heard(line):
                    return True
            left = None if limit is None else max(0.0, limit - time.monotonic())
            ready = self._ready(source if not self._out else None, left)
            if not ready:
                return False
            if source is not None and source in ready:
                piece = os.read(source, PIECE)
                read(piece)
                source = source if piece else None
            if not self._exchange():
                return False

    def _next(self) -> bytes | None:
        end = self._in.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._in[:end])
        # In place: a copy of the rest for each line would take quadratic time, and a guest decides how long lines are.
        del self._in[: end + 1]
        return line

    def _ready(self, source: int | None, timeout: float | None) -> set[int]:
        with selectors.DefaultSelector() as selector:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._out else 0)
            selector.register(self._connection, wanted)
            if source is not None:
                try:
                    selector.register(source, selectors.EVENT_READ)
                except PermissionError:
                    # A plain file, which can always be read.
                    return {source}
            return {key.fd for key, _ in selector.select(timeout)}

    def _exchange(self) -> bool:
        """Send and receive what can be; False when the connection has ended."""
        try:
            if self._out:
                del self._out[: self._connection.send(self._out)]
        except BlockingIOError:
            pass
        except OSError:
            return False
        try:
            piece = self._connection.recv(LINE_LIMIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self._in += piece
        return bool(piece) and (len(self._in) <= 2 * LINE_LIMIT or b"\n" in self._in)
