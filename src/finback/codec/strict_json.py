"""JSON from outside: bounded, unambiguous, and with its types checked where they are used.

Everything that finback reads as JSON and did not write in the same process goes through `read` or `plain`: documents of
registries, token servers, layouts and archives, credential files and helpers, lock files, records of the store, events
of a guest.

Subset of RFC 8259: UTF-8 without a byte order mark; objects and arrays nest at most `DEPTH` deep; a number has at most
`DIGITS` characters; NaN, Infinity and numbers that a double can't hold are refused, as are a name that occurs twice in
an object (two programs could read different values, RFC 8259, section 4), the character NUL, and halves of a surrogate
pair, none of which can be a file's name or a program's argument.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

LIMIT = 4 << 20
"""Default for the bytes of a document: what registries must accept of a manifest at least."""
DEPTH = 64
DIGITS = 32
MAX_INTEGER = (1 << 63) - 1
# What can change the depth. Inside a string nothing does. A string without an end reaches to the end of the text: a
# search that began again behind each quotation mark would take quadratic time.
_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
_SHOWN = 40


class JsonError(ValueError):
    """A document is not JSON, or a value in it is not what it should be; the message names the place."""


def plain(data: bytes | str, *, limit: int = LIMIT) -> Any:
    """The value of the document *data* as Python's types: dict, list, str, int, float, bool, None.

    Raises:
        JsonError: it is larger than *limit* bytes, not JSON, or outside the subset above.

    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    if len(raw) > limit:
        raise JsonError(f"it has {len(raw)} bytes, more than {limit}")
    if raw.count(b"[") + raw.count(b"{") > DEPTH:
        _check_depth(raw)
    try:
        # Strictly UTF-8: json.loads would guess UTF-16 and UTF-32, and pass surrogates.
        text = raw.decode("utf-8")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as failure:
        raise JsonError(f"it is not UTF-8 at byte {failure.start}") from None
    except json.JSONDecodeError as failure:
        raise JsonError(f"it is not JSON: {failure.msg}, at line {failure.lineno} column {failure.colno}") from None
    if "\\u" in text:
        # Only an escape can bring these in; a plain NUL is no JSON, and a plain surrogate no UTF-8.
        _check_characters(value)
    return value


def read(data: bytes | str, *, limit: int = LIMIT) -> Node:
    """The document *data*, as `plain`, for use through typed accessors.

    Raises:
        JsonError: as `plain`.

    """
    return Node(plain(data, limit=limit))


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a document and its place. A member that is null counts as absent, as it does for Go's decoder."""

    value: Any
    path: str = "$"

    def __bool__(self) -> bool:
        """Whether there is a value."""
        return self.value is not None

    def get(self, name: str) -> Node:
        """The member *name* of an object; a Node without a value when it is absent.

        Raises:
            JsonError: this is not an object.

        """
        return Node(self.object().get(name), f"{self.path}.{name[:_SHOWN]}")

    def need(self, name: str) -> Node:
        """The member *name* of an object.

        Raises:
            JsonError: this is not an object, or has no such member.

        """
        found = self.get(name)
        if not found:
            raise JsonError(f"{found.path} is absent")
        return found

    def object(self) -> Mapping[str, Any]:
        """This as an object with plain values; empty when it is absent.

        Raises:
            JsonError: this is something else.

        """
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            self._refuse("an object")
        return dict(self.value)

    def members(self) -> dict[str, Node]:
        """The members of an object by name; none when it is absent.

        Raises:
            JsonError: this is something else.

        """
        return {name: Node(value, f"{self.path}.{name[:_SHOWN]}") for name, value in self.object().items()}

    def items(self, most: int = 100_000) -> list[Node]:
        """The elements of an array; none when it is absent.

        Raises:
            JsonError: this is something else, or has more than *most* elements.

        """
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            self._refuse("an array")
        if len(self.value) > most:
            raise JsonError(f"{self.path} has {len(self.value)} elements, more than {most}")
        return [Node(value, f"{self.path}[{number}]") for number, value in enumerate(self.value)]

    def text(self, default: str | None = None) -> str:
        """This as a string; *default*, if one is given, when it is absent.

        Raises:
            JsonError: this is something else, or absent and there is no default.

        """
        if self.value is None and default is not None:
            return default
        if not isinstance(self.value, str):
            self._refuse("a string")
        return str(self.value)

    def texts(self) -> dict[str, str]:
        """This as an object of strings; empty when it is absent.

        Raises:
            JsonError: this is something else.

        """
        return {name: node.text("") for name, node in self.members().items()}

    def integer(self, default: int | None = None, *, low: int = 0, high: int = MAX_INTEGER) -> int:
        """This as an integer from *low* to *high*; *default*, if one is given, when it is absent.

        Raises:
            JsonError: this is something else, or absent and there is no default.

        """
        if self.value is None and default is not None:
            return default
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self._refuse("an integer")
        if not low <= self.value <= high:
            raise JsonError(f"{self.path} is {self.value}, not between {low} and {high}")
        return int(self.value)

    def number(self, default: float | None = None) -> float:
        """This as a finite number; *default*, if one is given, when it is absent.

        Raises:
            JsonError: this is something else, or absent and there is no default.

        """
        if self.value is None and default is not None:
            return default
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            self._refuse("a number")
        return float(self.value)

    def boolean(self, *, default: bool = False) -> bool:
        """This as true or false; *default* when it is absent.

        Raises:
            JsonError: this is something else.

        """
        if self.value is None:
            return default
        if not isinstance(self.value, bool):
            self._refuse("true or false")
        return bool(self.value)

    def _refuse(self, wanted: str) -> NoReturn:
        raise JsonError(f"{self.path} is {_kind(self.value)}, and should be {wanted}")


def _kind(value: Any) -> str:
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a string"
    return "a number" if isinstance(value, (int, float)) else "an object" if isinstance(value, dict) else "an array"


def _check_depth(raw: bytes) -> None:
    depth = 0
    for found in _STRUCTURE.finditer(raw):
        first = found[0][:1]
        if first in b"[{":
            depth += 1
            if depth > DEPTH:
                raise JsonError(f"it nests more than {DEPTH} deep, at byte {found.start()}")
        elif first in b"]}":
            depth -= 1


def _check_characters(value: Any) -> None:
    """Refuse NUL and surrogates in any string of *value*, whose depth is bounded."""
    left = [value]
    while left:
        here = left.pop()
        if isinstance(here, dict):
            left += here
            left += here.values()
        elif isinstance(here, list):
            left += here
        elif isinstance(here, str):
            if "\0" in here:
                raise JsonError("a string has the character NUL")
            try:
                here.encode("utf-8")
            except UnicodeEncodeError:
                raise JsonError("a string has half of a surrogate pair") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise JsonError(f"the name {twice[:_SHOWN]!r} occurs twice in an object")
    return made


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise JsonError(f"a number has {len(text)} characters, more than {DIGITS}")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= DIGITS else math.inf
    if not math.isfinite(value):
        raise JsonError(f"the number {text[:_SHOWN]} is too long, or larger than a double can hold")
    return value


def _constant(text: str) -> NoReturn:
    raise JsonError(f"it is not JSON: {text} is not a number")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
