"""Processes. A command line is a value, made by pure functions and run here."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from finback.ground.diagnostic import error


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program and its arguments."""

    argv: tuple[str, ...]

    def quoted(self) -> str:
        """The command as it can be pasted into a shell, an option a line."""
        parts = [shlex.quote(a) for a in self.argv]
        lines = [parts[0]]
        for part in parts[1:]:
            if part.startswith("-"):
                lines.append("  " + part)
            else:
                lines[-1] += " " + part
        return " \\\n".join(lines)


def find(program: str) -> Path | None:
    """Where *program* is on the search path, or None."""
    found = shutil.which(program)
    return Path(found) if found else None


def converse(command: Command, text: bytes, *, seconds: float) -> tuple[int, bytes]:
    """Give *text* to a program; its exit status and what it wrote to standard output. Nothing of it is shown.

    Raises:
        FinbackError: F532, it can't be started, or has not ended after *seconds*.

    """
    try:
        done = subprocess.run(
            command.argv, input=text, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise error(
            "F532", f"{command.argv[0]} has not answered for {seconds:.0f} seconds", help="run it by hand to see why"
        ) from None
    except OSError as failure:
        raise error(
            "F532",
            f"{command.argv[0]} can't be started: {failure.strerror or failure}",
            help="install it, or mend PATH",
        ) from None
    return done.returncode, done.stdout
