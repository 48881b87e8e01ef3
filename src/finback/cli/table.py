"""Tables on standard output: aligned columns for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from finback.cli import _streams
from finback.cli.render import columns_of
from finback.ground.printable import printable_line


def show(rows: Sequence[Mapping[str, object]], *, as_json: bool, columns: Iterable[str] | None = None) -> None:
    """Print *rows*; as JSON with all their keys, else the *columns* (default: all) with a header."""
    if as_json:
        _streams.result(json.dumps([dict(r) for r in rows], indent=2, ensure_ascii=False))
        return
    if not rows:
        return
    names = list(columns or rows[0])
    cells = [[n.upper() for n in names], *([printable_line(str(r.get(n, ""))) for n in names] for r in rows)]
    widths = [max(columns_of(row[i]) for row in cells) for i in range(len(names))]
    width = _streams.width()
    if width is not None and sum(widths) + 2 * (len(widths) - 1) > width and len(names) > 1:
        _streams.result(_narrow(cells))
        return
    lines = ("  ".join(c + " " * (w - columns_of(c)) for c, w in zip(row, widths, strict=True)) for row in cells)
    _streams.result("\n".join(line.rstrip() for line in lines))


def size(count: int) -> str:
    """*count* bytes for people, in powers of 1000 as disks are sold: 13 B, 4.1 kB, 28.3 MB, 1.20 GB."""
    if count < 1000:
        return f"{count} B"
    if count >= 1_000_000_000:
        return f"{count / 1e9:.2f} GB"
    return f"{count / 1e6:.1f} MB" if count >= 100_000 else f"{count / 1e3:.1f} kB"


def _narrow(cells: Sequence[Sequence[str]]) -> str:
    """The table for a terminal that is too narrow for it: a line for each cell, below the first one of its row."""
    heads, *rows = cells
    width = max(columns_of(h) for h in heads[1:])
    out = []
    for first, *rest in rows:
        out.append(first)
        out += [f"  {h.ljust(width)}  {c}" for h, c in zip(heads[1:], rest, strict=True) if c]
    return "\n".join(out)
