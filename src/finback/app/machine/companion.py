"""What runs beside a machine: a TPM in software, say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from finback.app.machine.running import Running
from finback.backends import Companion
from finback.ground.diagnostic import FinbackError, error
from finback.host import child, file, folder

# It is ready at once, or not at all.
START_SECONDS = 20.0
GRACE = 2.0


@contextmanager
def beside(machine: Running, companions: Sequence[Companion]) -> Iterator[None]:
    """*companions* run within the block, and beyond it as long as *machine* does.

    Raises:
        FinbackError: F549, it does not start; F520, there is no such program.

    """
    try:
        for companion in companions:
            _start(companion)
        yield
    finally:
        # What no machine ever used knows of no end.
        if not machine.alive:
            for companion in companions:
                _end(companion)


def _start(companion: Companion) -> None:
    _end(companion)
    folder.make_private(companion.state)
    if not child.runs(companion.command, START_SECONDS, 0):
        raise error(
            "F549",
            f"{companion.command.argv[0]} does not start",
            help=f"run it by hand to see why: {companion.command.quoted()}",
        )


def _end(companion: Companion) -> None:
    try:
        text = file.read(companion.pid, limit=64).decode("ascii", "replace").strip()
    except FinbackError:
        return
    if text.isdecimal() and len(text) < 10:
        child.end(int(text), companion.word, GRACE)
