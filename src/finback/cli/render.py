"""Diagnostics as text: place, excerpt, caret, notes, remedy.

The form is that of compilers: ``FILE:LINE:COLUMN: error[CODE]: MESSAGE``, which editors and terminals make a link of,
then the line in question. Text from files is shown with its control characters replaced, so that none reaches the
terminal, and wide characters count as two columns.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.source import Span

TAB = 4
WIDTH = 140
"""Columns of an excerpt; longer lines are cut around what is underlined."""
_STYLES = {"red": "1;31", "yellow": "1;33", "blue": "34", "green": "32", "bold": "1"}
_Paint = Callable[[str, str], str]


def render(diagnostic: Diagnostic, *, colour: bool = False) -> str:
    """*diagnostic* as lines for a terminal or a log, without a line break at the end. *colour*: with ANSI sequences."""
    paint = _coloured if colour else _plain
    shade = "red" if diagnostic.severity is Severity.ERROR else "yellow"
    span = diagnostic.span
    title = paint(f"{diagnostic.severity.value}[{diagnostic.code}]", shade)
    lines = [f"{_clean(str(span))}: " if span else ""]
    lines[0] += f"{title}: {paint(_clean(diagnostic.message), 'bold')}"
    margin = " "
    if span is not None:
        margin = " " * len(str(span.line + 1))
        lines += _excerpt(span, shade, paint)
    for note in diagnostic.notes:
        lines += _remark("note", note, margin, paint)
    if diagnostic.help:
        lines += _remark("help", diagnostic.help, margin, paint)
    return "\n".join(lines)


def _excerpt(span: Span, shade: str, paint: _Paint) -> list[str]:
    """The line of *span* with what it covers underlined; nothing when the text has no such line."""
    line = span.source.line(span.line)
    if not line.strip():
        return []
    cells = [_cell(c) for c in line]
    start = min(span.column, len(cells))
    end = max(start + 1, min(span.column + span.length, len(cells)))
    first, last = _window(cells, start, end)
    text = ("…" if first else "") + "".join(cells[first:last]) + ("…" if last < len(cells) else "")
    lead = _columns(cells[first:start]) + (1 if first else 0)
    caret = "^" * max(1, _columns(cells[start : min(end, last)]))
    number = str(span.line + 1)
    margin, bar = " " * len(number), paint("|", "blue")
    return [
        f"{margin} {bar}",
        f"{paint(number, 'blue')} {bar} {text.rstrip()}",
        f"{margin} {bar} {' ' * lead}{paint(caret, shade)}",
    ]


def _window(cells: list[str], start: int, end: int) -> tuple[int, int]:
    """The part of a line to show: all of it, or WIDTH columns that begin somewhat before *start*."""
    if _columns(cells) <= WIDTH:
        return 0, len(cells)
    first = 0 if end <= WIDTH else max(0, start - WIDTH // 4)
    last, used = first, 0
    while last < len(cells) and used + _columns(cells[last : last + 1]) <= WIDTH:
        used += _columns(cells[last : last + 1])
        last += 1
    return first, last


def _remark(label: str, text: str, margin: str, paint: _Paint) -> list[str]:
    """``= help: …``, further lines below the first."""
    first, *rest = text.splitlines() or [""]
    indent = " " * (len(margin) + len(f" = {label}: "))
    head = f"{margin} {paint('=', 'blue')} {paint(label, 'green' if label == 'help' else 'bold')}: {_clean(first)}"
    return [head, *(f"{indent}{_clean(line)}" for line in rest)]


def _cell(character: str) -> str:
    """What stands for *character*: spaces for a tab, a visible sign for what a terminal would act upon."""
    if character == "\t":
        return " " * TAB
    if 0xD800 <= ord(character) <= 0xDFFF or not (character.isprintable() or character == "\u3000"):
        return "" if character == "\ufeff" else "\ufffd"
    return character


def _columns(cells: list[str]) -> int:
    return columns_of("".join(cells))


def columns_of(text: str) -> int:
    """The columns that *text*, one line, takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _clean(text: str) -> str:
    return "".join(_cell(c) for c in text)


def _coloured(text: str, style: str) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def _plain(text: str, style: str) -> str:  # noqa: ARG001
    return text
