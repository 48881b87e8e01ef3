"""The user's terminal, lent to a child and taken back as it was, however the child ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

STREAMS = (0, 1, 2)


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
