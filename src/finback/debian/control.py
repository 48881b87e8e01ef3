"""Paragraphs of ``Field: value`` as Debian's control files have them.

Subset: fields keep the case that they were written in; a PGP signature around the text is not understood (see
`finback.trust.openpgp`). Nothing but the paragraph in hand is held, and a paragraph has at most `PARAGRAPH_LIMIT`
characters. Specification: deb822(5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# The longest that Debian has is the list of hashes in a Release file, under 1 MB.
PARAGRAPH_LIMIT = 8 << 20


def paragraph(lines: Iterable[str]) -> dict[str, str]:
    """One paragraph. Continuation lines are joined by newlines, without their first blank.

    Raises:
        ValueError: a line is neither a field nor a continuation.

    """
    # Lists of lines: a text that grows by a line at a time is copied for each of them.
    fields: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line[:1] in " \t":
            if not name:
                raise ValueError("a continuation line without a field")
            fields[name].append(line[1:].rstrip())
        else:
            name, colon, value = line.partition(":")
            if not colon or not name:
                raise ValueError(f"{line[:40]!r} is not a field")
            fields[name] = [value.strip()]
    return {name: "\n".join(values) for name, values in fields.items()}


def paragraphs(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """All paragraphs of a text, which blank lines part; comment lines are skipped.

    Raises:
        ValueError: a line is neither a field nor a continuation, or a paragraph is too long.

    """
    block: list[str] = []
    size = 0
    for raw in lines:
        line = raw.rstrip("\n")
        if line.startswith("#"):
            continue
        if line.strip():
            size += len(line)
            if size > PARAGRAPH_LIMIT:
                raise ValueError("a paragraph is longer than any paragraph may be")
            block.append(line)
        elif block:
            yield paragraph(block)
            block = []
            size = 0
    if block:
        yield paragraph(block)
