"""Progress and errors on standard error: for a terminal, plain, as JSON lines, or not at all."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from typing import Any, Protocol

import click

from finback.cli.render import render
from finback.ground.diagnostic import FinbackError
from finback.ground.event import Advanced, Event, Failed, Finished, Noted, Started, Warned


class Display(Protocol):
    """Shows events as they come."""

    def emit(self, event: Event) -> None:
        """Show one event."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def display(kind: str) -> Display:
    """The display called *kind*; `auto` looks at standard error."""
    if kind == "auto":
        kind = "tty" if sys.stderr.isatty() else "plain"
    kinds: dict[str, type[Display]] = {"tty": _Terminal, "plain": _Plain, "json": _Json, "quiet": _Quiet}
    return kinds[kind]()


def show_error(failure: FinbackError) -> None:
    """Print every diagnostic of *failure*."""
    colour = sys.stderr.isatty()
    for diagnostic in failure.diagnostics:
        click.echo(render(diagnostic, colour=colour), err=True)
    if len(failure.diagnostics) > 1:
        click.echo(f"{len(failure.diagnostics)} problems", err=True)


class _Quiet:
    """Nothing but warnings is worth breaking the silence."""

    def emit(self, event: Event) -> None:
        if isinstance(event, Warned):
            click.echo(render(event.diagnostic, colour=sys.stderr.isatty()), err=True)

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
                click.echo(f"{title}: {took}{' ' + event.note if event.note else ''}", err=True)
            case Noted():
                click.echo(event.text, err=True)
            case Warned():
                click.echo(render(event.diagnostic, colour=False), err=True)
            case Failed() | Advanced():
                pass

    def close(self) -> None:
        pass


class _Json:
    """One JSON object a line."""

    def emit(self, event: Event) -> None:
        body: dict[str, Any]
        if isinstance(event, Warned):
            d = event.diagnostic
            body = {"code": d.code, "message": d.message, "place": str(d.span or ""), "help": d.help}
        else:
            body = dataclasses.asdict(event)
        click.echo(json.dumps({"event": type(event).__name__.lower(), **body}), err=True)

    def close(self) -> None:
        pass


class _Terminal:
    """Live bars for work in hand; what is done scrolls away above them."""

    def __init__(self) -> None:
        self._progress: Any = None
        self._tasks: dict[str, Any] = {}

    def emit(self, event: Event) -> None:
        match event:
            case Started():
                progress = self._open()
                self._tasks[event.task] = progress.add_task(event.title, total=event.total)
            case Advanced():
                if event.task in self._tasks:
                    self._progress.update(self._tasks[event.task], completed=event.done, total=event.total)
            case Finished():
                self._end(event.task, "[green]✓[/]" if not event.cached else "[dim]=[/]")
            case Failed():
                self._end(event.task, "[red]✗[/]")
            case Noted():
                self._say(event.text)
            case Warned():
                self._say(render(event.diagnostic, colour=True), raw=True)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _open(self) -> Any:
        if self._progress is None:
            # rich costs 40 ms to import: only once there is something to show.
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            console = Console(stderr=True, highlight=False)
            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TimeElapsedColumn(),
                console=console,
                transient=True,
            )
            self._progress.start()
        return self._progress

    def _end(self, name: str, mark: str) -> None:
        number = self._tasks.pop(name, None)
        if number is None:
            return
        live = next(t for t in self._progress.tasks if t.id == number)
        self._progress.remove_task(number)
        self._progress.console.print(f"{mark} {live.description} [dim]{live.elapsed or 0:.1f} s[/]")

    def _say(self, text: str, *, raw: bool = False) -> None:
        if self._progress is None:
            click.echo(text, err=True)
        elif raw:
            from rich.text import Text

            self._progress.console.print(Text.from_ansi(text))
        else:
            self._progress.console.print(text, markup=False)
