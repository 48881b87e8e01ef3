"""What a package's copyright file says of its licences, as SPDX identifiers.

Machine-readable files are read as the format defines: each `Files` paragraph has a `License` whose first line is an
expression of short names. Of other files only well-known sentences are recognised; what comes of that is a guess, and
is called one. `debian/` paragraphs are about the packaging, not about what runs.

Specification: copyright-format 1.0 (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/); SPDX 2.3,
annex D.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

from finback.debian import control, licence_name

# The largest in trixie has 5 MB.
LIMIT = 16 << 20
# Characters of an expression; the longest in trixie has 300.
EXPRESSION_LIMIT = 1024
How = Literal["declared", "guessed", "unknown"]
_COMMON = re.compile(r"/usr/share/common-licenses/((?:Apache|Artistic|[A-Z]{3,})(?:-\d(?:\.\d)?)?)")
_BSD = "Redistribution and use in source and binary forms"
# How far behind the sentence above the clause stands that tells the one BSD licence from the other, and how far before
# a licence's path the words "or later": characters.
_NEAR = 1500
# Names that an expression may have, and licences that may be guessed; no sound file comes near.
_MOST = 1000
_SENTENCES = (
    ("MIT", r"Permission is hereby granted, free of charge, to any person obtaining a copy"),
    ("ISC", r"Permission to use, copy, modify, and(?:/or)? distribute this software for any purpose with"),
    ("Zlib", r"This software is provided 'as-is', without any express or implied warranty"),
    ("MPL-2.0", r"Mozilla Public License,? (?:v\. |version )?2\.0"),
    ("OpenSSL", r"OpenSSL License"),
    ("LicenseRef-public-domain", r"(?:is|are|into|in) (?:in )?the public domain"),
)  # fmt: skip
_SENTENCE = [(name, re.compile(text, re.IGNORECASE)) for name, text in _SENTENCES]
_BSD_TEXT = re.compile(_BSD, re.IGNORECASE)
_ENDORSE = re.compile(r"Neither the name|endorse", re.IGNORECASE)
_FAMILY = re.compile(
    r"GNU (Lesser |Library |Affero )?General Public Licen[cs]e"
    r"(?:,? (?:as published by the Free Software Foundation;?,? )?(?:either )?,?\s*version (\d(?:\.\d)?))?",
    re.IGNORECASE,
)
_LATER = re.compile(r"any later version|or later|or \(at your option\) any", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """The licences of a package."""

    parts: tuple[str, ...] = ()
    """SPDX expressions, sorted; all of them hold."""
    how: How = "unknown"
    """`declared` in a machine-readable file, `guessed` from sentences of another, or `unknown`."""

    @property
    def expression(self) -> str:
        """One SPDX expression, "" when nothing is known."""
        parts = [f"({p})" if " OR " in p and len(self.parts) > 1 else p for p in self.parts]
        return " AND ".join(parts)


@lru_cache(maxsize=512)
def read(text: str) -> Licence:
    """The licences that the copyright file *text* names."""
    head = text[:4096].lower()
    if re.search(r"^format(?:-specification)?:\s*\S+", head, re.MULTILINE):
        try:
            parts = set(islice(_declared(text), _MOST))
        except ValueError:
            parts = set()
        if parts:
            return Licence(parts=tuple(sorted(parts)), how="declared")
    guessed = set(islice(_guessed(text), _MOST * 10))
    return Licence(parts=tuple(sorted(guessed)), how="guessed") if guessed else Licence()


def _declared(text: str) -> Iterator[str]:
    overall = ""
    found = False
    for fields in control.paragraphs(text.splitlines()):
        named = {k.lower(): v for k, v in fields.items()}
        words = named.get("license", "").split("\n", 1)[0].strip()
        if "format" in named or "format-specification" in named:
            overall = words
        elif "files" in named and words:
            globs = named["files"].split()
            if all(g.startswith("debian/") for g in globs):
                continue
            found = True
            yield expression(words)
    if overall and not found:
        yield expression(overall)


def identifiers(text: str) -> tuple[str, ...]:
    """The licences in an SPDX expression, each with its exception: `GPL-2.0-or-later WITH Libtool-exception`."""
    return tuple(p for part in re.split(r"\s+(?:AND|OR)\s+", text) if (p := part.strip("() ")))


def expression(text: str) -> str:
    """The SPDX expression for the first line of a `License` field.

    `and` binds closer than `or`, and what stands before a comma is taken together. Source: copyright-format 1.0,
    section "Syntax".
    """
    # Each pattern below meets single blanks alone, so that none of them tries a run of white space in many ways.
    text = " ".join(text.split())
    if len(text) > EXPRESSION_LIMIT:
        return licence_name.reference(text[:EXPRESSION_LIMIT])
    loose = re.split(r", ?(?=(?:and|or) )", text)
    joined = " ".join(f"({p})" if i == 0 and len(loose) > 1 and " " in p else p for i, p in enumerate(loose))
    out: list[str] = []
    for token in _tokens(joined):
        if token.startswith("with "):
            exception = re.sub(r"[ -]{0,8}exceptions?\Z", "", token[5:], flags=re.IGNORECASE)
            if out and out[-1] not in ("AND", "OR", "(", ")"):
                out[-1] = licence_name.with_exception(out[-1], exception)
        else:
            out.append(token)
    made = " ".join(out).replace("( ", "(").replace(" )", ")")
    return made if _is_sound(out) else licence_name.reference(text)


def _tokens(text: str) -> Iterator[str]:
    """Names as SPDX has them, AND, OR, brackets, and `with NAME`."""
    for part in re.split(r"([()]| (?:and|or) |(?:^|(?<=\))) ?(?:and|or) )", text, flags=re.IGNORECASE):
        word = part.strip()
        if not word:
            continue
        if word in "()":
            yield word
        elif word.lower() in ("and", "or"):
            yield word.upper()
        else:
            name, *exception = re.split(r" with |-with-(?=\S+-exceptions?\Z)", word, maxsplit=1, flags=re.IGNORECASE)
            found = licence_name.spdx(name.strip().rstrip(","))
            yield from ("(", *found.split(" "), ")") if " " in found else (found,)
            yield from (f"with {e}" for e in exception)


def _is_sound(tokens: list[str]) -> bool:
    """Whether brackets and operators stand where they may."""
    depth, operand = 0, False
    for token in tokens:
        if token in ("AND", "OR"):
            if not operand:
                return False
            operand = False
        elif token == "(":
            if operand:
                return False
            depth += 1
        elif token == ")":
            depth -= 1
            if depth < 0 or not operand:
                return False
        else:
            if operand:
                return False
            operand = True
    return operand and depth == 0


def _guessed(text: str) -> Iterator[str]:
    plain = " ".join(text.split())
    later = _Places(_LATER, plain)
    common = 0
    for found in _COMMON.finditer(plain):
        name, common = found[1], common + 1
        is_later = re.match(r"[AL]?GPL|GFDL", name) and later.any(found.start() - _NEAR, found.start())
        yield licence_name.spdx(name + ("+" if is_later else ""))
    for name, pattern in _SENTENCE:
        if pattern.search(plain):
            yield name
    endorse = _Places(_ENDORSE, plain)
    for found in _BSD_TEXT.finditer(plain):
        yield "BSD-3-Clause" if endorse.any(found.end(), found.end() + _NEAR) else "BSD-2-Clause"
    if not common:
        for found in _FAMILY.finditer(plain):
            family = {"lesser ": "LGPL", "library ": "LGPL", "affero ": "AGPL"}.get((found[1] or "").lower(), "GPL")
            plus = "+" if later.any(found.start(), found.end() + 120) else ""
            yield licence_name.spdx(f"{family}-{found[2]}{plus}" if found[2] else family)


class _Places:
    """Where a text has something: found once, however often it is asked."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self._starts = [found.start() for found in pattern.finditer(text)]

    def any(self, begin: int, end: int) -> bool:
        """Whether it begins between *begin* and *end*."""
        at = bisect_left(self._starts, begin)
        return at < len(self._starts) and self._starts[at] < end
