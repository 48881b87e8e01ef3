"""One thing in a file system.

A path is relative to the root, has no leading or trailing slash, no ``.``, ``..`` or empty step, and is ``""`` for the
root itself. Names that are not UTF-8 are carried with Python's surrogateescape.
"""

from __future__ import annotations

from dataclasses import dataclass

from finback.tree.content import Content, Inline


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What every kind of entry has."""

    path: str
    mode: int = 0o755
    """Permission bits with set-uid, set-gid and sticky; no file type."""
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    """Seconds since 1970, UTC."""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    """Extended attributes, sorted by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory(Entry):
    """A directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File(Entry):
    """A regular file."""

    mode: int = 0o644
    content: Content = Inline(b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Symlink(Entry):
    """A symbolic link. `target` is kept as it is written."""

    mode: int = 0o777
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HardLink(Entry):
    """A further name of the file at `target`, a path in the same tree."""

    mode: int = 0o644
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Device(Entry):
    """A device node."""

    mode: int = 0o600
    block: bool
    major: int
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fifo(Entry):
    """A named pipe."""

    mode: int = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket(Entry):
    """The name of a socket that nothing listens to."""


AnyEntry = Directory | File | Symlink | HardLink | Device | Fifo | Socket
