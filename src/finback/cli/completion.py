"""Print the shell's completion script."""

from __future__ import annotations

import click

from finback.cli import _streams


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def COMMAND(shell: str) -> None:  # noqa: N802
    """Print the completion script for SHELL.

    \b
    bash: finback completion bash > ~/.local/share/bash-completion/completions/finback
    zsh:  finback completion zsh  > a folder of $fpath, as _finback
    fish: finback completion fish > ~/.config/fish/completions/finback.fish
    """  # noqa: D301
    from click.shell_completion import get_completion_class

    from finback.cli import cli

    completer = get_completion_class(shell)
    assert completer is not None
    _streams.result(completer(cli, {}, "finback", "_FINBACK_COMPLETE").source())
