"""Processes. A command line is a value, made by pure functions and run here."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path


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
