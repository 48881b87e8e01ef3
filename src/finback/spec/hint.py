"""What to suggest for a key that a record does not have.

Tried in turn: the same word in another spelling, another tool's word for the thing, a close spelling of either, a
record one level up or down that has the key, a spelling that is similar, and at last the list of keys.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches

from finback.spec import habit
from finback.spec.habit import folded

EDITS = ("remove", "replace", "merge", "before", "after", "add")
"""What can be done to a list of an earlier file, in the order in which it is done: `services.remove`."""
# Words up to this length are misspelt by one edit, longer ones by two.
_SHORT = 5
_SIMILAR = 0.75
# As many edits make another word.
_FAR = 3


def meant(key: str, here: Iterable[str]) -> str | None:
    """The key of *here* that *key* is a misspelling of: as good as certainly."""
    known = {folded(k): k for k in here}
    word = folded(key)
    if word in known:
        return known[word]
    edits = {k: _distance(word, k) for k in known}
    fewest = min(edits.values(), default=_FAR)
    if fewest == _FAR:
        return None
    # Comparing the likeness takes far longer than counting edits, and a file may have thousands of unknown keys.
    near = max((k for k in known if edits[k] == fewest), key=lambda k: SequenceMatcher(None, word, k).ratio())
    return known[near] if fewest <= _allowed(word, near) else None


def did_you_mean(key: str) -> str:
    """The remedy for a misspelling of *key*."""
    return f"did you mean {key}?"


def for_key(
    key: str, here: Iterable[str], below: Mapping[str, Sequence[str]], above: Iterable[str], parent: str
) -> str:
    """The remedy for the unknown *key*.

    *here* are the keys of the record; *below* maps keys of nested records to the keys that hold such records; *above*
    are the keys of the record that encloses this one, which is its *parent*.
    """
    known = list(here)
    near = meant(key, known)
    if near and folded(near) == folded(key):
        return did_you_mean(near)
    other = habit.remedy(key, known)
    if other:
        return other
    name, _, operation = key.rpartition(".")
    if operation in EDITS and name in known:
        return f"it would change a list that an earlier file has, and there is none here: write `{name}:`"
    if name in known:
        return f"a list that an earlier file has is changed by {', '.join(f'{name}.{e}' for e in EDITS)}"
    if near:
        return did_you_mean(near)
    above = list(above)
    return _of_neither(key, known, {*below, *above}) or _by_place(key, known, below, above, parent)


def _of_neither(key: str, known: Sequence[str], elsewhere: Iterable[str]) -> str | None:
    """The remedy for a place for anchors, or for a misspelling of another tool's word."""
    if key.lower().startswith(("x-", "x_")):
        return "keys for anchors begin with `x-`, and stand at the top of the file"
    slip = meant(key, habit.words(known)) if len(key) > _SHORT and key not in elsewhere else None
    return habit.remedy(slip, known) if slip else None


def _by_place(key: str, known: list[str], below: Mapping[str, Sequence[str]], above: list[str], parent: str) -> str:
    """The remedy for a key that may belong elsewhere."""
    inner, outer = meant(key, below), meant(key, above) if parent else None
    if inner:
        word = "" if inner == key else f"{did_you_mean(inner)} "
        *others, last = (f"`{h}:`" for h in below[inner])
        holders = f"{', '.join(others)} or {last}" if others else last
        return f"{word}it belongs below {holders}, indented more"
    if outer:
        word = "" if outer == key else f"{did_you_mean(outer)} "
        return f"{word}it belongs one level up: indent it like `{parent}:`"
    words = {folded(k): k for k in known}
    similar = get_close_matches(folded(key), words, 1, _SIMILAR)
    if similar:
        return did_you_mean(words[similar[0]])
    lines = textwrap.wrap(", ".join(known), 88, break_on_hyphens=False)
    return "known keys: " + "\n".join(lines)


def _allowed(word: str, other: str) -> int:
    """How many edits a misspelling may be away."""
    length = min(len(word), len(other))
    return 0 if length < 3 else 1 if length <= _SHORT else 2


def _distance(word: str, other: str) -> int:
    """Edits between two words: letters that are missing, added, other, or swapped with their neighbour; at most _FAR.

    Source: optimal string alignment distance (Boytsov 2011, "Indexing methods for approximate dictionary searching").
    """
    if abs(len(word) - len(other)) >= _FAR:
        return _FAR
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            cost = min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == wanted:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return min(last[-1], _FAR)
