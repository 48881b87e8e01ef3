"""Remember name and password for a registry, where Docker and Podman keep theirs."""

from __future__ import annotations

import sys

import click

from finback.cli import _streams
from finback.cli.options import open_workspace


@click.command("login")
@click.argument("registry", default="docker.io")
@click.option("-u", "--username", help="Asked for when it is not given.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_context
def COMMAND(ctx: click.Context, registry: str, username: str | None, password_stdin: bool) -> None:  # noqa: N802
    """Try name and password at REGISTRY, and remember them if they are good.

    They go to the credential helper that the file names, or into the file: $REGISTRY_AUTH_FILE, or config.json in
    $DOCKER_CONFIG or ~/.docker.
    """
    from finback.app import registry as registries
    from finback.oci.credentials import Credential

    if not (username and password_stdin) and not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask at: give --username and --password-stdin")
    name = username or click.prompt("Username", err=True)
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, err=True)
    with open_workspace(ctx) as workspace:
        place = registries.login(registry, Credential(username=name, password=password), workspace)
    _streams.note(f"{name} may use {registry}; remembered in {place}")
