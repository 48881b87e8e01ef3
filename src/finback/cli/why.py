"""Say what put a path into an image: spec line, component, package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from finback.cli import _streams
from finback.cli.options import input_options

if TYPE_CHECKING:
    from finback.app.planning import Inputs
    from finback.app.workspace import Workspace


@click.command("why")
@click.argument("path")
@input_options
def COMMAND(inputs: Inputs, workspace: Workspace, path: str) -> None:  # noqa: N802
    """Say why PATH is in the image of FILE: in the machine's root, or else in any of its containers.

    \b
    finback why /usr/bin/crun web.yml
    finback why /usr/sbin/nginx web.yml
    """  # noqa: D301
    from finback.app.inspect import why

    for reason in why(path, inputs, workspace):
        place = reason.placed
        _streams.result(f"/{place.entry.path}")
        _streams.result(f"  section    {place.location}{f'  ({place.span})' if place.span else ''}")
        _streams.result(f"  image      {place.source}")
        if reason.package:
            _streams.result(f"  package    {reason.package}")
        for other in reason.overrides:
            _streams.result(f"  overrides  {other.location}  {other.source}")
