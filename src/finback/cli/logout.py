"""Forget name and password for a registry."""

from __future__ import annotations

import click

from finback.cli import _streams


@click.command("logout")
@click.argument("registry", default="docker.io")
def COMMAND(registry: str) -> None:  # noqa: N802
    """Forget what `finback login`, Docker or Podman have remembered for REGISTRY."""
    from finback.app import registry as registries

    known = registries.logout(registry)
    _streams.note(f"{registry} is forgotten" if known else f"nothing was known of {registry}")
