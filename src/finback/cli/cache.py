"""The store: what is in it, and what goes to and from registries."""

from __future__ import annotations

import click

from finback.cli import _cache_remote


@click.group("cache")
def COMMAND() -> None:  # noqa: N802
    """The store of images."""


COMMAND.add_command(_cache_remote.pull)
COMMAND.add_command(_cache_remote.push)
