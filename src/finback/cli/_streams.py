"""What a command in a machine writes, passed on at once and unchanged."""

from __future__ import annotations

import sys


def output(piece: bytes) -> None:
    """To standard output."""
    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def errors(piece: bytes) -> None:
    """To standard error."""
    sys.stderr.buffer.write(piece)
    sys.stderr.buffer.flush()
