"""Print the JSON Schema of the YAML file."""

from __future__ import annotations

import json

import click

from finback.cli import _streams


@click.command("schema")
def COMMAND() -> None:  # noqa: N802
    """Print the JSON Schema (2020-12) of finback's YAML, for editors and checkers."""
    from finback.spec.schema import schema

    _streams.result(json.dumps(schema(), indent=2, ensure_ascii=False))
