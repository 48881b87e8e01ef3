"""Files that a machine's output is kept in: bounded, whatever the guest writes; read by position, from the end.

A position counts all bytes that were ever written. When a file becomes too long, its older part is left out and a first
line says how many bytes that were, so that positions stay what they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

READ_LIMIT = 32 << 20
"""What is read of a file at most, from its end: one that no `Journal` has written may have any length."""
_FIRST = re.compile(rb"\[finback: (\d{1,18}) bytes before this line are not kept\]\n")
_FIRST_LIMIT = 80


def read(path: Path, since: int = 0, until: int | None = None) -> tuple[int, bytes]:
    """What the file *path* has between two positions, and where that begins; nothing if it is not there."""
    try:
        with path.open("rb") as stream:
            dropped, head = _shift(stream.read(_FIRST_LIMIT))
            length = stream.seek(0, os.SEEK_END)
            first = min(length, max(head, length - READ_LIMIT, since - dropped))
            stop = length if until is None else min(length, until - dropped)
            stream.seek(first)
            return first + dropped, stream.read(max(0, stop - first))
    except OSError:
        return since, b""


def lines(path: Path, since: int = 0, until: int | None = None) -> Iterator[tuple[int, bytes]]:
    """The whole lines of the file *path* between two positions, each with the position of its end."""
    at, data = read(path, since, until)
    for line in data.split(b"\n")[:-1]:
        at += len(line) + 1
        yield at, line


def end(path: Path) -> int:
    """The position of the end of the file *path*; 0 if it is not there."""
    return read(path, 1 << 62)[0] if path.exists() else 0


def cut(path: Path, position: int) -> None:
    """Remove what the file *path* has after *position*.

    Raises:
        FinbackError: F404 not permitted, F405 any other trouble.

    """
    from finback.host import file

    with file.opened(path) as stream:
        dropped, head = _shift(stream.read(_FIRST_LIMIT))
    file.truncate(path, max(head, position - dropped))


def _shift(first: bytes) -> tuple[int, int]:
    """By how much positions exceed places in a file that begins with *first*, and where its content begins."""
    found = _FIRST.match(first)
    if not found:
        return 0, 0
    return int(found[1]) - found.end(), found.end()


class Journal:
    """A file that is appended to. At *limit* bytes, *shorten* says what of its content is kept."""

    def __init__(self, path: Path, limit: int, shorten: Callable[[bytes], bytes]) -> None:
        self._path = path
        self._limit = limit
        self._shorten = shorten

    def append(self, data: bytes) -> None:
        """Write *data*. What can't be written, because the disk is full, is lost: the machine goes on."""
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, data)
                length = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
            if length > self._limit:
                self._compact()

    def _compact(self) -> None:
        at, data = read(self._path)
        kept = self._shorten(data)
        first = b"[finback: %d bytes before this line are not kept]\n" % (at + len(data) - len(kept))
        temporary = self._path.with_name(f".{self._path.name}.new")
        temporary.write_bytes(first + kept)
        temporary.chmod(0o600)
        temporary.replace(self._path)
