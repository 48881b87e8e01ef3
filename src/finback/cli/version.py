"""Print finback's version."""

from __future__ import annotations

import click

from finback import __version__
from finback.cli import _streams


@click.command("version")
@click.option("--short", is_flag=True, help="Only the number.")
def COMMAND(short: bool) -> None:  # noqa: N802
    """Print finback's version."""
    _streams.result(__version__ if short else f"finback version {__version__}")
