"""Signals as files and images write them."""

from __future__ import annotations

import signal as system

import pytest

from finback.spec import signal


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("SIGTERM", "SIGTERM"), ("term", "SIGTERM"), ("SigQuit", "SIGQUIT"), ("15", "SIGTERM"), (15, "SIGTERM"),
        (" 3 ", "SIGQUIT"), ("SIGRTMIN+3", "37"), ("rtmin+3", "37"), ("RTMIN", "34"), ("SIGRTMAX", "64"),
        ("SIGRTMAX-14", "50"), ("37", "37"), (64, "64"), ("SIGWINCH", "SIGWINCH"), ("28", "SIGWINCH"),
        ("SIGPOLL", "SIGIO"), ("SIGCLD", "SIGCHLD"), ("IOT", "SIGABRT"), ("009", "SIGKILL"),
    ],
)  # fmt: skip
def test_every_spelling(given: int | str, meant: str) -> None:
    assert signal.parse(given) == meant


@pytest.mark.parametrize(
    "given",
    ["", "0", 0, -1, 65, "65", "SIG", "SIGFOO", "SIGRTMIN+31", "SIGRTMAX-31", "SIGRTMIN-1", "SIGRTMAX+1", "SIG15", "٣",
     "SIGRTMIN+", "1e1", "9" * 5000],
)  # fmt: skip
def test_what_is_no_signal(given: int | str) -> None:
    with pytest.raises(ValueError, match="is not a signal"):
        signal.parse(given)


def test_the_numbers_are_those_of_linux() -> None:
    known = {s.name: s.value for s in system.Signals if s.name in signal.NUMBERS}
    assert {name: signal.NUMBERS[name] for name in known} == known
    assert len(known) > 25
