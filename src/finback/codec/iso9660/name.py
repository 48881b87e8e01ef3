"""Names as the two trees of a disc have them: the standard's own, and Joliet's.

Source: ECMA-119, 7.5, 7.6, 10.2 (level 2 and 3: 30 characters); Joliet, "Naming".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

LIMIT = 30
DIRECTORY_LIMIT = 31
JOLIET_LIMIT = 64
_NOT_PLAIN = re.compile("[^A-Z0-9_]")
_NOT_JOLIET = re.compile(r"[\x00-\x1f*/:;?\\\ud800-\udfff\U00010000-\U0010ffff]")
# What a suffix may have for itself: `tar.gz` and the like stay readable, the stem has most of the room.
EXTENSION = 8

Pair = tuple[str, str]
"""Stem and extension, by which records are sorted (9.3)."""


def plain(names: Iterable[tuple[str, bool]]) -> dict[str, Pair]:
    """For each name, and whether it is a directory's, a different one in capitals, digits and underscores."""
    out: dict[str, Pair] = {}
    taken: set[Pair] = set()
    counters: dict[Pair, int] = {}
    for name, folder in names:
        stem, dot, extension = (name, "", "") if folder else name.rpartition(".")
        if not dot:
            stem, extension = name, ""
        extension = _NOT_PLAIN.sub("_", extension.upper())[:EXTENSION]
        room = DIRECTORY_LIMIT if folder else LIMIT - len(extension)
        # Characters whose capitals are more than one must not make it longer than the room.
        stem = _NOT_PLAIN.sub("_", stem.upper())[:room] or "_"
        out[name] = _different((stem, extension), room, taken, counters)
    return out


def joliet(names: Iterable[str]) -> dict[str, str]:
    """For each name a different one of at most 64 characters that Joliet can have."""
    out: dict[str, str] = {}
    taken: set[Pair] = set()
    counters: dict[Pair, int] = {}
    for name in names:
        short = _NOT_JOLIET.sub("_", name)
        # Windows takes names that differ in case only for the same; the specification does not.
        out[name] = _different((short[:JOLIET_LIMIT], ""), JOLIET_LIMIT, taken, counters)[0]
    return out


def _different(wanted: Pair, room: int, taken: set[Pair], counters: dict[Pair, int]) -> Pair:
    stem, extension = wanted
    while (stem, extension) in taken:
        counters[wanted] = number = counters.get(wanted, 0) + 1
        stem = wanted[0][: room - len(str(number))] + str(number)
    taken.add((stem, extension))
    return stem, extension
