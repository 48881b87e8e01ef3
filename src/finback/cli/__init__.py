"""The command line: one file per command, found by its name and imported when it is called.

Results go to standard output, everything else to standard error. This is the only layer that prints or exits.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finback import __version__

if TYPE_CHECKING:
    import threading

# Modules here that are no commands.
_PARTS = {"render", "display", "options", "table"}


class _RaisedError(Exception):
    """Carries what a command raised past click, which takes EOFError for an interrupt and hides a broken pipe."""

    def __init__(self, failure: Exception) -> None:
        super().__init__(str(failure))
        self.failure = failure


class _Commands(click.Group):
    """Finds commands as modules; reads only the docstrings for the list."""

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **extra)
        except (EOFError, BrokenPipeError) as failure:
            raise _RaisedError(failure) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (EOFError, BrokenPipeError) as failure:
            raise _RaisedError(failure) from None

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


def _chosen(_ctx: click.Context, _option: click.Parameter, progress: str) -> str:
    """What `--progress` was given: errors of the command line itself are shown in its way, too."""
    from finback.cli import _streams

    _streams.write_for_programs(progress == "json")
    return progress


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True)
@click.option(
    "--progress",
    type=click.Choice(["auto", "tty", "plain", "json", "quiet"]),
    default="auto",
    envvar="FINBACK_PROGRESS",
    callback=_chosen,
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
@click.option("--debug", is_flag=True, envvar="FINBACK_DEBUG", help="Show where in finback an error was raised.")
@click.version_option(__version__, prog_name="finback", message="%(prog)s %(version)s")
@click.pass_context
def cli(
    ctx: click.Context, /, progress: str, quiet: bool, verbose: int, cache: Path | None, debug: bool, **network: Any
) -> None:
    """Assemble minimal container-based Linux systems from one YAML file."""
    shown = "quiet" if quiet or verbose == 0 else progress
    values = {"progress": shown, "cache": cache, "verbose": verbose, "network": network, "debug": debug}
    ctx.ensure_object(dict).update(values)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its status. Whatever a command raises ends as a message, never as a trace."""
    import threading

    settings: dict[str, Any] = {}
    _bear_all_names()
    threading.excepthook = _thread_ended
    try:
        status: Any = cli.main(args=arguments, prog_name="finback", standalone_mode=False, obj=settings)
        # At exit Python would report what can't be written as an ignored exception.
        sys.stdout.flush()
    except Exception as failure:  # noqa: BLE001 - the last net: nothing of a stranger's bytes may end in a trace
        status = _ended(failure.failure if isinstance(failure, _RaisedError) else failure, settings)
    except KeyboardInterrupt as failure:
        status = _ended(failure, settings)
    sys.exit(status if isinstance(status, int) else 0)


def _bear_all_names() -> None:
    """Let standard output take every file name and every character, whatever the locale's encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        utf8 = sys.stdout.encoding.lower().replace("-", "") == "utf8"
        sys.stdout.reconfigure(errors="surrogateescape" if utf8 else "backslashreplace")


def _ended(failure: BaseException, settings: dict[str, Any]) -> int:
    from finback.cli import _ending

    status = _ending.end(failure, debug=bool(settings.get("debug")))
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        # What is left in the buffer can't be written; the message above said why.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return status


def _thread_ended(arguments: threading.ExceptHookArgs) -> None:
    from finback.cli import _ending

    _ending.thread_ended(arguments)
