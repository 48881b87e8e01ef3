"""Hard links in a tree from which something is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from finback.tree.entry import AnyEntry, File, HardLink


def only(entries: Iterable[AnyEntry], keep: Callable[[str], bool]) -> Iterator[AnyEntry]:
    """The entries whose paths are to be kept. When a file's name goes, the first link to it that stays is the file.

    Every file comes before the links to it, here and in the result.
    """
    gone: dict[str, File] = {}
    heirs: dict[str, str] = {}
    for entry in entries:
        if not keep(entry.path):
            if isinstance(entry, File):
                gone[entry.path] = entry
        elif isinstance(entry, HardLink) and entry.target in gone:
            heir = heirs.setdefault(entry.target, entry.path)
            yield replace(gone[entry.target], path=heir) if heir == entry.path else replace(entry, target=heir)
        else:
            yield entry
