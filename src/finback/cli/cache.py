"""The store: what is in it, what may go, and what goes in and out."""

from __future__ import annotations

import click

from finback.cli import _cache_local, _cache_remote


@click.group("cache")
def COMMAND() -> None:  # noqa: N802
    """The store of images."""


for _command in (
    _cache_local.listing,
    _cache_local.remove,
    _cache_local.collect,
    _cache_local.clean,
    _cache_local.usage,
    _cache_local.verify,
    _cache_local.take,
    _cache_local.export,
    _cache_remote.pull,
    _cache_remote.push,
):
    COMMAND.add_command(_command)
