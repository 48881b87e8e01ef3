"""The user's terminal, lent to a child and taken back as it was, however the child ended."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STREAMS = (0, 1, 2)
PIECE = 32 << 10
# What was written last may still be on its way when the program has ended.
LAST_SECONDS = 0.3


@contextmanager
def lent() -> Iterator[None]:
    """Put back what a child may have changed: the line settings, and whether reading blocks.

    QEMU does so itself when it ends by itself, and can't when it is killed: the shell would stay without echo.
    """
    import fcntl
    import termios

    flags, settings = {}, {}
    for number in STREAMS:
        with suppress(OSError):
            flags[number] = fcntl.fcntl(number, fcntl.F_GETFL)
            if os.isatty(number):
                settings[number] = termios.tcgetattr(number)
    try:
        yield
    finally:
        for number, value in flags.items():
            with suppress(OSError):
                fcntl.fcntl(number, fcntl.F_SETFL, value)
        for number, line in settings.items():
            with suppress(OSError, termios.error):
                termios.tcsetattr(number, termios.TCSADRAIN, line)


def is_terminal() -> bool:
    """Whether somebody can type: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def is_whole() -> bool:
    """Whether standard input and output are both a terminal."""
    return is_terminal() and sys.stdout.isatty()


def size() -> tuple[int, int]:
    """Rows and columns of the terminal."""
    found = shutil.get_terminal_size()
    return found.lines, found.columns


def kind() -> str:
    """What the terminal understands, as terminfo(5) calls it."""
    found = os.environ.get("TERM", "")
    return found if re.fullmatch(r"[A-Za-z0-9.+_-]{1,40}", found) else "vt100"


@contextmanager
def resizes() -> Iterator[int]:
    """A file descriptor with a byte for each change of the window's size."""
    out, into = os.pipe()
    os.set_blocking(into, False)

    def changed(*_: object) -> None:
        with suppress(OSError):
            os.write(into, b"x")

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield out
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(out)
        os.close(into)


@contextmanager
def joined(connection: socket.socket) -> Iterator[None]:
    """For a block, what is typed goes to *connection* key by key, and what comes from there is shown."""
    import tty

    over, end = os.pipe()
    tty.setraw(0)
    thread = threading.Thread(target=_pass, args=(connection, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(end, b"x")
        thread.join()
        os.close(over)
        os.close(end)


def _pass(connection: socket.socket, over: int) -> None:
    sources: list[int] = [0, connection.fileno(), over]
    while True:
        ended = over not in sources
        ready = select.select(sources, [], [], LAST_SECONDS if ended else None)[0]
        if ended and not ready:
            return
        if over in ready:
            sources = [connection.fileno()]
        if 0 in ready and 0 in sources:
            keys = os.read(0, PIECE)
            if keys:
                connection.sendall(keys)
            else:
                sources.remove(0)
        if connection.fileno() in ready:
            piece = connection.recv(PIECE)
            if not piece:
                return
            _write(piece)


def _write(piece: bytes) -> None:
    while piece:
        piece = piece[os.write(1, piece) :]
