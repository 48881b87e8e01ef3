"""The two streams of a command: results go to standard output, everything else to standard error.

Every command writes through this module, because progress may be shown on the same terminal: it is taken off the
terminal before anything else is written there, and drawn again afterwards if work is still going on.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Protocol

import click

from finback.ground.printable import Cleaner

if TYPE_CHECKING:
    from finback.ground.diagnostic import Diagnostic


class Live(Protocol):
    """Something that is drawn again and again on the terminal."""

    def hide(self) -> None:
        """Remove it from the terminal."""

    def show(self) -> None:
        """Draw it again, if it still has something to show."""


lock = threading.RLock()
"""Held by whoever writes to the terminal."""
_live: list[Live] = []
_for_programs = False


def are_for_programs() -> bool:
    """Whether each line of standard error is a JSON object."""
    return _for_programs


def register(live: Live) -> None:
    """Have *live* hidden while something else is written."""
    _live.append(live)


def unregister(live: Live) -> None:
    """Undo `register`."""
    if live in _live:
        _live.remove(live)


def write_for_programs(chosen: bool) -> None:
    """Make each line of standard error a JSON object from now on, or text for people: `--progress json`."""
    global _for_programs  # noqa: PLW0603 - the process has one standard error
    _for_programs = chosen


def is_colourful(stream: IO[str]) -> bool:
    """Whether *stream* is a terminal that shows colours, and the user wants them (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """Columns of the terminal that standard output is; None when it is no terminal."""
    if not sys.stdout.isatty():
        return None
    # Imports lzma, which costs start-up time.
    import shutil

    return shutil.get_terminal_size().columns


def result(text: object, *, newline: bool = True) -> None:
    """Write a result of the command to standard output."""
    with _undisturbed(sys.stdout, whole_lines=newline):
        click.echo(text, nl=newline)


def note(text: object) -> None:
    """Write a message that is no result to standard error."""
    if _for_programs:
        record("noted", {"text": str(text)})
        return
    with _undisturbed(sys.stderr):
        click.echo(text, err=True)


def record(event: str, body: Mapping[str, Any]) -> None:
    """Write what happened to standard error, as a JSON object on a line of its own."""
    with _undisturbed(sys.stderr):
        click.echo(json.dumps({"event": event, **body}), err=True)


def diagnose(diagnostic: Diagnostic, *, is_result: bool = False) -> None:
    """Write *diagnostic* to standard error, or to standard output where it is what the command was asked for."""
    if _for_programs and not is_result:
        d = diagnostic
        body = {"code": d.code, "message": d.message, "place": str(d.span or ""), "help": d.help, "notes": [*d.notes]}
        record("error" if d.severity.value == "error" else "warned", body)
        return
    from finback.cli.render import render

    stream = sys.stdout if is_result else sys.stderr
    with _undisturbed(stream):
        click.echo(render(diagnostic, colour=is_colourful(stream)), file=stream)


def binary(option: str) -> BinaryIO:
    """Standard output for data that is no text.

    Raises:
        click.UsageError: it is a terminal. *option* is the one that asked for data on standard output.

    """
    if sys.stdout.isatty():
        raise click.UsageError(
            f"{option}: binary data is not written to a terminal; redirect standard output to a file"
        )
    return sys.stdout.buffer


class GuestStream:
    """Standard output or error for what a program in a guest writes.

    On a terminal, escape sequences and control characters are removed, because the guest is not trusted: they could
    change the terminal's settings, its title or the clipboard. A file or a pipe gets the bytes as they are.
    """

    def __init__(self, stream: IO[str], binary: BinaryIO) -> None:
        self._stream = stream
        self._binary = binary
        self._cleaner = Cleaner() if stream.isatty() else None

    def write(self, piece: bytes) -> None:
        """Write *piece* at once."""
        self._put(piece if self._cleaner is None else self._cleaner.clean(piece))

    def close(self) -> None:
        """Write what was held back because it might have been the beginning of an escape sequence."""
        if self._cleaner is not None:
            self._put(self._cleaner.rest())

    def _put(self, piece: bytes) -> None:
        if not piece:
            return
        with _undisturbed(self._stream, whole_lines=piece.endswith(b"\n")):
            self._binary.write(piece)
            self._binary.flush()


@contextmanager
def guest_streams() -> Iterator[tuple[GuestStream, GuestStream]]:
    """Standard output and standard error for a program in a guest."""
    streams = GuestStream(sys.stdout, sys.stdout.buffer), GuestStream(sys.stderr, sys.stderr.buffer)
    try:
        yield streams
    finally:
        for stream in streams:
            stream.close()


@contextmanager
def _undisturbed(stream: IO[str], *, whole_lines: bool = True) -> Iterator[None]:
    """For a block, nothing else writes to the terminal, and no progress stands on it.

    Progress comes back after *whole_lines* only: it would overwrite an unfinished line.
    """
    with lock:
        if stream.isatty():
            for live in _live:
                live.hide()
        yield
        stream.flush()
        if whole_lines:
            for live in _live:
                live.show()
