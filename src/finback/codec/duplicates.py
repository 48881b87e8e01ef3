"""Which contents are the same bytes, so that a file system stores them once.

Only contents of equal size are read: first their heads are hashed, then, where heads are equal, the whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from finback.tree.content import Content, Reader, part

HEAD = 4096


def firsts(contents: Iterable[Content], read: Reader) -> dict[Content, Content]:
    """Each of *contents*, with the first of them that holds the same bytes."""
    sizes: dict[object, list[Content]] = {}
    for content in dict.fromkeys(contents):
        sizes.setdefault(content.size, []).append(content)

    def head(content: Content) -> bytes:
        return _digest(part(content, 0, min(content.size, HEAD)), read)

    def whole(content: Content) -> bytes:
        return b"" if content.size <= HEAD else _digest(content, read)

    found: dict[Content, Content] = {}
    for same_size in sizes.values():
        for same_head in _split(same_size, head):
            for same in _split(same_head, whole):
                found.update((content, same[0]) for content in same)
    return found


def _split(contents: list[Content], feature: Callable[[Content], bytes]) -> Iterable[list[Content]]:
    """*contents* in groups of the same *feature*, which one alone is not asked for."""
    if len(contents) == 1:
        return (contents,)
    groups: dict[bytes, list[Content]] = {}
    for content in contents:
        groups.setdefault(feature(content), []).append(content)
    return groups.values()


def _digest(content: Content, read: Reader) -> bytes:
    # The contents may be hostile, so that the hash must withstand collisions.
    state = hashlib.sha256()
    for chunk in read(content):
        state.update(chunk)
    return state.digest()
