"""Tables on standard output: aligned columns for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import click


def show(rows: Sequence[Mapping[str, object]], *, as_json: bool, columns: Iterable[str] | None = None) -> None:
    """Print *rows*; as JSON with all their keys, else the *columns* (default: all) with a header."""
    if as_json:
        click.echo(json.dumps([dict(r) for r in rows], indent=2, ensure_ascii=False))
        return
    if not rows:
        return
    names = list(columns or rows[0])
    cells = [[n.upper() for n in names], *([str(r.get(n, "")) for n in names] for r in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    for row in cells:
        click.echo("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
