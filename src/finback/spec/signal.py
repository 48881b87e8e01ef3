"""Signals by the names and numbers that files and images use.

The numbers are those of Linux on every architecture that finback builds for. Real-time signals are counted from 34, as
in Docker and in programs of glibc.

Source: signal(7); moby's pkg/signal, `ParseSignal` and `SignalMap` for Linux.
"""

from __future__ import annotations

import re

NUMBERS = {
    "SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6, "SIGBUS": 7, "SIGFPE": 8,
    "SIGKILL": 9, "SIGUSR1": 10, "SIGSEGV": 11, "SIGUSR2": 12, "SIGPIPE": 13, "SIGALRM": 14, "SIGTERM": 15,
    "SIGSTKFLT": 16, "SIGCHLD": 17, "SIGCONT": 18, "SIGSTOP": 19, "SIGTSTP": 20, "SIGTTIN": 21, "SIGTTOU": 22,
    "SIGURG": 23, "SIGXCPU": 24, "SIGXFSZ": 25, "SIGVTALRM": 26, "SIGPROF": 27, "SIGWINCH": 28, "SIGIO": 29,
    "SIGPWR": 30, "SIGSYS": 31,
}  # fmt: skip
ALIASES = {"SIGIOT": 6, "SIGCLD": 17, "SIGPOLL": 29, "SIGUNUSED": 31}
FIRST_REAL_TIME, LAST_REAL_TIME = 34, 64
_NAMES = {number: name for name, number in NUMBERS.items()}
_REAL_TIME = re.compile(r"SIGRT(?:MIN(?:\+(\d{1,2}))?|MAX(?:-(\d{1,2}))?)", re.ASCII)


def parse(given: int | str) -> str:
    """The signal that *given* means: its name in full, or its number in digits where it has no name.

    Names are accepted in any case, with and without `SIG`.

    Raises:
        ValueError: there is no such signal.

    """
    text = str(given).strip()
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else _by_name(text.upper())
    if not 1 <= number <= LAST_REAL_TIME:
        raise ValueError(f"{given!r} is not a signal")
    return _NAMES.get(number, str(number))


def _by_name(text: str) -> int:
    """The number of a signal, 0 when there is none of that name."""
    name = text if text.startswith("SIG") else f"SIG{text}"
    found = _REAL_TIME.fullmatch(name)
    if found is None:
        return NUMBERS.get(name) or ALIASES.get(name, 0)
    number = LAST_REAL_TIME - int(found[2] or 0) if "MAX" in name else FIRST_REAL_TIME + int(found[1] or 0)
    return number if FIRST_REAL_TIME <= number <= LAST_REAL_TIME else 0
