"""Progress and errors on standard error: for a terminal, plain, as JSON lines, or not at all."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any, Protocol

import click

from finback.cli import _streams
from finback.ground.diagnostic import FinbackError
from finback.ground.event import Advanced, Event, Failed, Finished, Noted, Started, Warned
from finback.ground.printable import printable, printable_line

BAR_WIDTH = 60
"""Columns of a terminal that has room for bars beside the titles."""


class Display(Protocol):
    """Shows events as they come."""

    def emit(self, event: Event) -> None:
        """Show one event."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def display(kind: str) -> Display:
    """The display called *kind*; `auto` looks at standard error and at the environment.

    Progress is drawn only on a terminal that can move its cursor. In a CI system, which shows a log, `auto` is `plain`.
    """
    drawable = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    if kind == "auto":
        kind = "plain" if os.environ.get("CI", "false").lower() not in ("", "0", "false") else "tty"
    if kind == "tty" and not drawable:
        kind = "plain"
    kinds: dict[str, type[Display]] = {"tty": _Terminal, "plain": _Plain, "json": _Json, "quiet": _Quiet}
    return kinds[kind]()


def show_error(failure: FinbackError) -> None:
    """Print every diagnostic of *failure*."""
    for diagnostic in failure.diagnostics:
        _streams.diagnose(diagnostic)
    if len(failure.diagnostics) > 1 and not _streams.are_for_programs():
        _streams.note(f"{len(failure.diagnostics)} problems")


class _Quiet:
    """Nothing but warnings is worth breaking the silence."""

    def emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            _streams.diagnose(event.diagnostic)

    def close(self) -> None:
        pass


class _Plain:
    """A line when a piece of work ends, for logs."""

    def __init__(self) -> None:
        self._began: dict[str, tuple[str, float]] = {}

    def emit(self, event: Event) -> None:
        match event:
            case Started():
                self._began[event.task] = (event.title, time.monotonic())
            case Finished():
                title, began = self._began.pop(event.task, (event.task, time.monotonic()))
                took = "cached" if event.cached else f"{time.monotonic() - began:.1f} s"
                _streams.note(printable_line(f"{title}: {took}{' ' + event.note if event.note else ''}"))
            case Noted():
                _streams.note(printable(event.text))
            case Warned():
                _streams.diagnose(event.diagnostic)
            case Failed() | Advanced():
                pass

    def close(self) -> None:
        pass


class _Json:
    """One JSON object a line."""

    def emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            _streams.diagnose(event.diagnostic)
        else:
            _streams.record(type(event).__name__.lower(), dataclasses.asdict(event))

    def close(self) -> None:
        pass


class _Terminal:
    """Bars for the work in hand; a line for each piece that is done scrolls away above them.

    The bars are on the terminal only while there is work in hand, and never while something else is written there:
    `_streams` calls `hide` before and `show` after that. Events come from several threads.
    """

    def __init__(self) -> None:
        self._progress: Any = None
        self._tasks: dict[str, Any] = {}
        self._live: Any = None
        self._handlers: dict[int, Any] = {}
        _streams.register(self)
        # Only the main thread may do that.
        with suppress(ValueError):
            self._handlers = {n: signal.signal(n, self._ended) for n in (signal.SIGTERM, signal.SIGHUP)}

    def emit(self, event: Event) -> None:
        with _streams.lock:
            match event:
                case Started():
                    progress = self._opened()
                    total = event.total or None
                    self._tasks[event.task] = progress.add_task(printable_line(event.title), total=total)
                    self.show()
                case Advanced():
                    if event.task in self._tasks:
                        self._progress.update(self._tasks[event.task], completed=event.done, total=event.total)
                case Finished():
                    self._end(event.task, *(("=", "dim") if event.cached else ("✓", "green")), note=event.note)
                case Failed():
                    self._end(event.task, "✗", "red")
                case Noted():
                    _streams.note(printable(event.text))
                case Warned():
                    _streams.diagnose(event.diagnostic)

    def close(self) -> None:
        with _streams.lock:
            self.hide()
            self._tasks.clear()
            _streams.unregister(self)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _ended(self, number: int, _frame: FrameType | None) -> None:
        """A signal ends this process: the cursor comes back first."""
        self.close()
        os.kill(os.getpid(), number)

    def hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self) -> None:
        if self._tasks and self._live is None:
            from rich.live import Live

            # A new one each time: a stopped one remembers how many lines it had, and would erase as many above it.
            self._live = Live(
                get_renderable=self._progress.get_renderable,
                console=self._progress.console,
                refresh_per_second=10,
                transient=True,
                # The streams stay what they are: a result that rich took would go to standard error.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)

    def _opened(self) -> Any:
        if self._progress is None:
            # rich costs 40 ms to import: only once there is something to show.
            from rich.console import Console
            from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
            from rich.table import Column

            colours = _streams.is_colourful(sys.stderr)
            console = Console(stderr=True, highlight=False, color_system="auto" if colours else None)
            # One line for each piece of work, however narrow the terminal is.
            title = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1))
            bar: tuple[ProgressColumn, ...] = (BarColumn(bar_width=24),) if console.width >= BAR_WIDTH else ()
            self._progress = Progress(
                SpinnerColumn(), title, *bar, TimeElapsedColumn(), console=console, auto_refresh=False
            )
        return self._progress

    def _end(self, name: str, mark: str, style: str, *, note: str = "") -> None:
        number = self._tasks.pop(name, None)
        if number is None:
            return
        live = next(t for t in self._progress.tasks if t.id == number)
        self._progress.remove_task(number)
        line = f"{click.style(mark, **_MARKS[style])} {live.description} "
        took = f"{live.elapsed or 0:.1f} s{' ' + printable_line(note) if note else ''}"
        if not _streams.is_colourful(sys.stderr):
            line = click.unstyle(line)
        else:
            took = click.style(took, dim=True)
        _streams.note(line + took)


_MARKS: dict[str, dict[str, Any]] = {"green": {"fg": "green"}, "red": {"fg": "red"}, "dim": {"dim": True}}
