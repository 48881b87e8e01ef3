"""Debian version order: which of two versions is newer.

Subset: all of it; a version that dpkg would only warn of (an upstream part that starts with a letter) is ordered too.
Specification: deb-version(7).
"""

from __future__ import annotations

import functools
import operator as operators
import re

_SPLIT = re.compile(r"([0-9]+)")
_TILDE, _END, _OFFSET = -1, 0, 256
_ZERO = (0, "")

Key = tuple[tuple[int, str], tuple[object, ...], tuple[object, ...]]


@functools.lru_cache(maxsize=65536)
def key(version: str) -> Key:
    """A value that sorts as the version does.

    Raises:
        ValueError: the epoch is not a number.

    """
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    if not (epoch.isascii() and epoch.isdecimal()):
        raise ValueError(f"{version!r} has an epoch that is not a number")
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return _number(epoch), _part(upstream), _part(revision)


def _part(text: str) -> tuple[object, ...]:
    """Alternating non-digit and digit stretches; the end sorts after ~ and before everything else."""
    pieces = _SPLIT.split(text)
    out: list[object] = []
    for i, piece in enumerate(pieces):
        if i % 2:
            out.append(_number(piece))
        else:
            out.append((*(_order(c) for c in piece), _END))
    # An absent number is 0 and an absent text is empty: cut what says no more than that, then end alike.
    while len(out) >= 3 and out[-1] == (_END,) and out[-2] == _ZERO:
        del out[-2:]
    return (*out, _ZERO, (_END,))


def _number(digits: str) -> tuple[int, str]:
    """What sorts as the number does, however long it is: Python turns text into numbers in quadratic time."""
    bare = digits.lstrip("0")
    return len(bare), bare


def _order(character: str) -> int:
    if character == "~":
        return _TILDE
    return ord(character) if character.isalpha() else ord(character) + _OFFSET


def satisfies(version: str, operator: str, wanted: str) -> bool:
    """Whether *version* stands in the relation *operator* (``<<``, ``<=``, ``=``, ``>=``, ``>>``) to *wanted*.

    The obsolete ``<`` and ``>`` mean ``<=`` and ``>=``, as they always did.

    Raises:
        ValueError: a version has an epoch that is not a number, or the operator is none of these.

    """
    compare = _OPERATORS.get(operator)
    if compare is None:
        raise ValueError(f"{operator!r} is not a relation between versions")
    return bool(compare(key(version), key(wanted)))


_OPERATORS = {
    "<<": operators.lt,
    "<=": operators.le,
    "=": operators.eq,
    ">=": operators.ge,
    ">>": operators.gt,
    "<": operators.le,
    ">": operators.ge,
}
