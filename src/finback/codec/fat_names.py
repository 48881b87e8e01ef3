"""Names on FAT: the long one as it is written, and the short one that every file has beside it.

Source: Microsoft, FAT32 File System Specification 1.03 (fatgen103), "FAT Long Directory Entries" and "Name Limits".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

_SHORT = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'()-@^_`{}~")
_NEVER = frozenset('"*/:<>?\\|') | frozenset(map(chr, range(32))) | {"\x7f"}
LONGEST = 255
_PART = 13


def short_names(names: Iterable[str]) -> dict[str, bytes]:
    """The 11 bytes of each name's short form, all different: what fits is the name itself in capitals.

    Raises:
        ValueError: a name that FAT can't carry, or two that differ only in the case of letters.

    """
    ordered = sorted(names)
    _check(ordered)
    found: dict[str, bytes] = {}
    for name in ordered:
        base, extension, fits = _basis(name)
        if fits:
            found[name] = _padded(base, extension)
    used = set(found.values())
    tails: dict[tuple[str, str], int] = {}
    for name in ordered:
        if name in found:
            continue
        base, extension, _ = _basis(name)
        # Two letters are all that the longest tail leaves: one count for all names that begin with them.
        key = (base[:2], extension)
        while True:
            tails[key] = tails.get(key, 0) + 1
            tail = f"~{tails[key]}"
            short = _padded(base[: 8 - len(tail)] + tail, extension)
            if short not in used:
                break
        used.add(short)
        found[name] = short
    return found


def is_short(name: str) -> bool:
    """Whether *name* needs no long form."""
    return _basis(name)[2] and name == name.upper()


def long_entries(name: str, short: bytes) -> bytes:
    """The directory entries that carry a long name; they stand before the short one's."""
    units = name.encode("utf-16-le")
    if len(units) % (2 * _PART):
        units += b"\0\0"
    units = units.ljust(-(-len(units) // (2 * _PART)) * 2 * _PART, b"\xff")
    checksum = 0
    for byte in short:
        checksum = ((checksum >> 1 | checksum << 7) + byte) & 0xFF
    count = len(units) // (2 * _PART)
    out = []
    for number in range(count, 0, -1):
        part = units[(number - 1) * 2 * _PART : number * 2 * _PART]
        order = number | 0x40 * (number == count)
        out.append(struct.pack("<B10sBBB12sH4s", order, part[:10], 0x0F, 0, checksum, part[10:22], 0, part[22:]))
    return b"".join(out)


def slots(name: str) -> int:
    """How many directory entries *name* takes."""
    return 1 if is_short(name) else 1 + -(-len(name.encode("utf-16-le")) // (2 * _PART))


def _check(names: list[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if name in ("", ".", "..") or _NEVER.intersection(name) or name[-1] in ". ":
            raise ValueError(f"FAT has no file called {name!r}")
        try:
            length = len(name.encode("utf-16-le")) // 2
        except UnicodeEncodeError:
            raise ValueError(f"the name {name!r} is not Unicode, which FAT needs") from None
        if length > LONGEST:
            raise ValueError(f"the name {name!r} is longer than {LONGEST} characters")
        other = seen.setdefault(name.upper(), name)
        if other != name:
            raise ValueError(f"{other!r} and {name!r} are one name on FAT, which does not tell the case of letters")


def _basis(name: str) -> tuple[str, str, bool]:
    """The letters of the short name's two halves, and whether they are the name's own, in capitals."""
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem.strip("."):
        stem, extension = name, ""
    base, ending = _cleaned(stem), _cleaned(extension)
    whole = base + ("." + ending if ending else "")
    return base or "_", ending[:3], whole == name.upper() and 0 < len(base) <= 8 and len(ending) <= 3


def _cleaned(text: str) -> str:
    # Not `upper` alone: it makes two letters of one in some languages.
    return "".join(c if c in _SHORT else "_" for c in (x.upper() for x in text if x not in " .") if len(c) == 1)


def _padded(base: str, extension: str) -> bytes:
    return (base.ljust(8) + extension.ljust(3)).encode("ascii")
