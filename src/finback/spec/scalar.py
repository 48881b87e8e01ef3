"""One YAML scalar to a value of the type that its field has: texts, whole numbers, switches, words.

YAML's own guesses are not used, so `name: no` is a text and `mode: 0644` keeps its digits. Numbers are written as
LinuxKit's decoder (Go's yaml.v3) takes them: decimal, 0x, 0o, 0b and, as in YAML 1.1, octal by a leading 0.
"""

from __future__ import annotations

import re

from finback.spec.node import Scalar

_NUMBER = re.compile(r"[-+]?(?:0x[0-9a-f_]+|0o[0-7_]+|0b[01_]+|[0-9][0-9_]*)\Z", re.IGNORECASE | re.ASCII)
_SIZE = re.compile(r"([0-9]{1,12})\s*([kmgt])(?:i?b)?\Z", re.IGNORECASE | re.ASCII)
_FLOAT = re.compile(r"[-+]?[0-9]{1,18}(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,2})?\Z", re.ASCII)
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")
_YES, _NO = ("y", "yes", "on", "1"), ("n", "no", "off", "0")
_INT64 = range(-(1 << 63), 1 << 63)


class MisfitError(Exception):
    """A scalar is not of its field's type."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code, self.message, self.remedy = code, message, remedy


NUL = ("the character U+0000 can't stand here: paths, arguments and settings end there", "remove it")


def without_nul(node: Scalar) -> None:
    """Refuse texts that no program gets whole.

    Raises:
        MisfitError: F009, it has a NUL character.

    """
    if "\0" in node.text:
        raise MisfitError("F009", *NUL)


def switch(node: Scalar) -> bool:
    """`true` or `false`, also spelled True and TRUE.

    Raises:
        MisfitError: F003, it is something else.

    """
    text = node.text
    if node.plain and text in (*_TRUE, *_FALSE):
        return text in _TRUE
    word = text.strip().lower()
    if word in ("true", "false"):
        remedy = f"remove the quotes: {word}" if not node.plain else f"write {word}"
    elif word in (*_YES, *_NO):
        remedy = "write true" if word in _YES else "write false"
    else:
        remedy = "write true or false"
    raise MisfitError("F003", f"expected true or false, got {shown(node)}", remedy)


def whole_number(node: Scalar) -> int:
    """A whole number of 64 bits.

    Raises:
        MisfitError: F003, it is something else.

    """
    value = number(node)
    if value is not None:
        return value
    text = node.text.strip()
    sized = _SIZE.match(text)
    if not node.plain and _NUMBER.match(text):
        remedy = f"remove the quotes: {text}"
    elif sized:
        remedy = f"write the number without a unit: {int(sized[1]) << 10 * (1 + 'kmgt'.index(sized[2].lower()))}"
    elif text in ("unlimited", "infinity", "max"):
        remedy = "write -1 for no limit"
    elif _FLOAT.match(text) and float(text).is_integer() and int(float(text)) in _INT64:
        remedy = f"write {int(float(text))}"
    elif _NUMBER.match(text):
        remedy = "it must lie between -2^63 and 2^63 - 1"
    else:
        remedy = "write digits only, such as 100"
    raise MisfitError("F003", f"expected a whole number, got {shown(node)}", remedy)


def number(node: Scalar) -> int | None:
    """The number that *node* is, or None when it is none or is quoted."""
    if not node.plain or len(node.text) > 80 or not _NUMBER.match(node.text):
        return None
    text = node.text.replace("_", "").lower()
    sign, digits = (-1 if text[0] == "-" else 1), text.lstrip("+-")
    base = {"0x": 16, "0o": 8, "0b": 2}.get(digits[:2])
    if base:
        digits = digits[2:]
    elif digits[0] == "0" and not set(digits) & {"8", "9"}:
        base = 8
    value = sign * int(digits, base or 10) if digits else None
    return value if value in _INT64 else None


def word(node: Scalar, allowed: tuple[str, ...]) -> str:
    """One of the words *allowed*.

    Raises:
        MisfitError: F007, it is none of them.

    """
    if node.text in allowed:
        return node.text
    from difflib import get_close_matches

    # `char` for `c`, `yml` for `yaml`.
    near = [w for w in allowed if len(w) == 1 and node.text[:1] == w]
    near = near or get_close_matches(node.text.lower(), allowed, 1, 0.5)
    known = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
    remedy = f"did you mean {near[0]}?" if near else "write one of these words"
    raise MisfitError("F007", f"expected {known}, got {shown(node)}", remedy)


def shown(node: Scalar) -> str:
    """The scalar as messages quote it: short, without control characters."""
    text = node.text if len(node.text) <= 60 else node.text[:57] + "..."
    return "nothing" if node.is_null and not text else repr(text)
