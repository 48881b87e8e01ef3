"""Debian's merged /usr: what packages still put into /bin, /sbin and /lib belongs below /usr.

Source: Debian's UsrMerge; file-hierarchy(7).
"""

from __future__ import annotations

from dataclasses import replace

from finback.ground.platform import Platform
from finback.tree.entry import AnyEntry, HardLink, Symlink

MOVED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32")


def moved(path: str) -> str:
    """Where *path* is when /usr is merged."""
    first, slash, rest = path.partition("/")
    return f"usr/{first}{slash}{rest}" if first in MOVED else path


def merged(entry: AnyEntry) -> AnyEntry:
    """*entry* at its place in a merged tree."""
    if isinstance(entry, Symlink) and entry.path in MOVED:
        # The link itself, as base-files ships it.
        return entry
    if isinstance(entry, HardLink):
        return replace(entry, path=moved(entry.path), target=moved(entry.target))
    return replace(entry, path=moved(entry.path))


def links(platform: Platform, epoch: int) -> tuple[Symlink, ...]:
    """The links from the old places into /usr."""
    names = ["bin", "lib", "sbin"]
    if platform.names.loader.startswith("/lib64/"):
        names.append("lib64")
    return tuple(Symlink(path=n, target=f"usr/{n}", mtime=epoch) for n in names)
