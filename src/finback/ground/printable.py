"""Text from outside made safe to show: without escape sequences and control characters.

Source: ECMA-48 (control sequences), XTerm Control Sequences.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

SIGN = "\ufffd"
"""Stands for a character that is not shown."""
HELD = 4096
"""Characters that an escape sequence may have; what is longer is no sequence."""
# CSI ... final byte; OSC, DCS, SOS, PM, APC ... terminator; other sequences of ESC.
_BODY = r"\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~]"
_SEQUENCE = re.compile(rf"\x1b(?:{_BODY})|\x9b[0-?]*[ -/]*[@-~]")
# The beginning of one at the end of the text.
_BEGUN = re.compile(r"(?:\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\x9c]*\x1b?|[ -/]*)|\x9b[0-?]*[ -/]*)\Z")


def printable(text: str) -> str:
    """*text* without escape sequences; other characters that a terminal acts upon are replaced by a sign.

    Line feeds and tabs stay. A carriage return begins a new line, so that what it would overwrite stays visible.
    """
    lines = _SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return lines if lines.isprintable() else "".join(map(_sign, lines))


def printable_line(text: str) -> str:
    """The same for what has to stay on one line."""
    return printable(text).replace("\n", SIGN).replace("\t", " ")


def _sign(character: str) -> str:
    if character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs":
        return character
    return SIGN


class Cleaner:
    """`printable` for UTF-8 that comes in pieces, whose ends may lie within a character or an escape sequence."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def clean(self, piece: bytes) -> bytes:
        """What can be shown after *piece* has come."""
        text = self._held + self._decoder.decode(piece)
        begun = _BEGUN.search(text) or re.search(r"\r\Z", text)
        cut = begun.start() if begun and len(text) - begun.start() <= HELD else len(text)
        self._held = text[cut:]
        return printable(text[:cut]).encode()

    def rest(self) -> bytes:
        """What was held back, at the end."""
        text, self._held = self._held + self._decoder.decode(b"", final=True), ""
        return printable(text).encode()
