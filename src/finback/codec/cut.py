"""Chunks of any size cut anew into pieces of one size, which are compressed each by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def cut(chunks: Iterable[bytes | memoryview], size: int) -> Iterator[bytes]:
    """*chunks* cut anew into pieces of *size* bytes; the last may be shorter."""
    held = b""
    for chunk in chunks:
        data = held + chunk if held else bytes(chunk)
        whole = len(data) - len(data) % size
        for at in range(0, whole, size):
            yield data[at : at + size]
        held = data[whole:]
    if held:
        yield held
