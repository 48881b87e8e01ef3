"""How a command ends: what it raised as a message for people, and as an exit status."""

from __future__ import annotations

import errno
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click

from finback.ground.diagnostic import FinbackError, error

if TYPE_CHECKING:
    import threading

INTERRUPTED = 130
"""Exit status of a shell for a program that SIGINT ended."""
BROKEN_PIPE = 141
"""Exit status of a shell for a program that SIGPIPE ended."""
REPORT = (
    "please report this, with the trace that `finback --debug ...` prints; CONTRIBUTING.md of finback's repository "
    "says where. No half-written output was left"
)
_SHOWN = 300


def end(failure: BaseException, *, debug: bool = False) -> int:
    """Say on standard error why a command ended with *failure*; its exit status. *debug*: with the trace."""
    from finback.cli import _streams

    if isinstance(failure, click.ClickException):
        if _streams.are_for_programs():
            body = {"code": "", "message": failure.format_message(), "place": "", "help": _usage(failure), "notes": []}
            _streams.record("error", body)
        else:
            failure.show()
        return failure.exit_code
    if isinstance(failure, (click.Abort, KeyboardInterrupt)):
        _streams.note("interrupted; nothing half-written was left")
        return INTERRUPTED
    if isinstance(failure, BrokenPipeError):
        # Whoever read our output has seen enough. Python would complain once more while it flushes at exit.
        sys.stderr.close()
        return BROKEN_PIPE
    if debug:
        _streams.note("".join(traceback.format_exception(failure)).rstrip())
    known = failure if isinstance(failure, FinbackError) else explained(failure)
    from finback.cli.display import show_error

    show_error(known)
    return known.status


def _usage(failure: click.ClickException) -> str:
    """Where help for the command is that *failure* is about; "" where it is about none."""
    context = failure.ctx if isinstance(failure, click.UsageError) else None
    return f"{context.command_path} --help" if context else ""


def explained(failure: BaseException) -> FinbackError:
    """What to tell the user of an exception that no inner code has explained.

    Errors of the operating system are the machine's state (no space, no permission), and are shown as that. All others
    are faults of finback, with F900.
    """
    if isinstance(failure, OSError) and failure.errno is not None:
        if isinstance(failure.filename, (str, bytes)):
            from finback.host.file import failed

            name = failure.filename
            return failed(Path(name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")), failure)
        reason = failure.strerror or str(failure)
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            return error("F403", f"an output can't be written: {reason}", help="free some space")
        return error("F405", f"the operating system refuses: {reason}", help="`finback --debug ...` shows the place")
    if isinstance(failure, MemoryError):
        return error("F551", "the memory of this machine does not suffice", help="free some memory, or use --jobs 1")
    what = f"{type(failure).__name__}: {failure}".strip()[:_SHOWN]
    return error("F900", f"finback has a fault, in {_place(failure)}: {what}", help=REPORT)


def thread_ended(arguments: threading.ExceptHookArgs) -> None:
    """Report what ended a thread, as `threading.excepthook`, in place of Python's trace."""
    if arguments.exc_value is not None and not isinstance(arguments.exc_value, (SystemExit, BrokenPipeError)):
        from finback.cli.display import show_error

        failure = arguments.exc_value
        show_error(failure if isinstance(failure, FinbackError) else explained(failure))


def _place(failure: BaseException) -> str:
    """The innermost line of finback's own that the trace of *failure* goes through: `oci/image.py:12`."""
    root = Path(__file__).parent.parent
    found = "an unknown place"
    trace: TracebackType | None = failure.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(root):
            found = f"{path.relative_to(root)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
