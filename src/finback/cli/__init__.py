"""The command line: one file per command, found by its name and imported when it is called.

Results go to standard output, everything else to standard error. This is the only layer that prints or exits.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from finback import __version__

# Modules here that are no commands.
_PARTS = {"render", "display", "options", "table"}


class _Commands(click.Group):
    """Finds commands as modules; reads only the docstrings for the list."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(p.stem.replace("_", "-") for p in _modules())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"finback.cli.{cmd_name.replace('-', '_')}").COMMAND
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(p.stem.replace("_", "-"), _summary(p)) for p in sorted(_modules())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._with_level(args))

    def _with_level(self, args: list[str]) -> list[str]:
        """*args* with a number after a `-v` before the command that has none, as in `-v build` and `-vv build`."""
        valued = {o for p in self.params if isinstance(p, click.Option) and not p.is_flag for o in p.opts}
        out, rest = [], list(args)
        while rest and rest[0].startswith("-") and rest[0] != "--":
            word = rest.pop(0)
            more = len(word) - 1 if word.strip("v") == "-" else int(word == "--verbose")
            if more and not (rest and rest[0].lstrip("-").isdecimal()):
                out += ["--verbose", str(min(3, 1 + more))]
            elif word in valued and rest:
                out += [word, rest.pop(0)]
            else:
                out.append(word)
        return out + rest

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"there is no command {args[0]!r}.{hint}")


def _modules() -> list[Path]:
    return [p for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_") and p.stem not in _PARTS]


def _summary(path: Path) -> str:
    """The first line of a module's docstring, without importing it."""
    with path.open(encoding="utf-8") as lines:
        return lines.readline().strip().strip('"')


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.option(
    "--progress",
    type=click.Choice(["auto", "tty", "plain", "json", "quiet"]),
    default="auto",
    envvar="FINBACK_PROGRESS",
    help="How progress is shown on standard error.",
)
@click.option("-q", "--quiet", is_flag=True, help="The same as --progress quiet.")
@click.option(
    "-v", "--verbose", type=click.IntRange(0, 3), default=1, help="0: errors and warnings only; without a number 2."
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    envvar=["FINBACK_CACHE", "LINUXKIT_CACHE"],
    help="The store's folder. Default: $XDG_CACHE_HOME/finback.",
)
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    metavar="[REGISTRY=]URL",
    help="Read the images of REGISTRY, or of all, from URL first. Repeatable.",
)
@click.option(
    "--cert-file",
    "authorities",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Certificates of further authorities, as PEM, for registries. Repeatable.",
)
@click.option(
    "--insecure",
    multiple=True,
    metavar="http[s]://HOST",
    help="A registry without TLS (http), or whose certificate can't be checked (https). Repeatable.",
)
@click.version_option(__version__, prog_name="finback", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, /, progress: str, quiet: bool, verbose: int, cache: Path | None, **network: Any) -> None:
    """Assemble minimal container-based Linux systems from one YAML file."""
    shown = "quiet" if quiet or verbose == 0 else progress
    ctx.obj = {"progress": shown, "cache": cache, "verbose": verbose, "network": network}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    from finback.ground.diagnostic import FinbackError

    try:
        status: Any = cli.main(args=arguments, prog_name="finback", standalone_mode=False)
    except FinbackError as failure:
        from finback.cli.display import show_error

        show_error(failure)
        sys.exit(failure.status)
    except click.ClickException as failure:
        failure.show()
        sys.exit(failure.exit_code)
    except (click.Abort, KeyboardInterrupt):
        from finback.cli import _streams

        _streams.note("interrupted; nothing half-written was left")
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more while it flushes at exit.
        sys.stderr.close()
        sys.exit(141)
    sys.exit(status if isinstance(status, int) else 0)
