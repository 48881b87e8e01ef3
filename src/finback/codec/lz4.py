"""LZ4 blocks (lz4_Block_format.md), by the library that PyPI calls lz4."""

from __future__ import annotations

from functools import cache
from typing import Any

TOP = 12


def compress(data: bytes, level: int | None) -> bytes:
    """One block; None is the fast method, 1 to 12 are the levels of LZ4 HC."""
    if level is None:
        return bytes(_library().compress(data, store_size=False))
    return bytes(_library().compress(data, store_size=False, mode="high_compression", compression=level))


def version() -> str:
    """The library and its version, on which compressed bytes depend."""
    import lz4

    return f"liblz4 {lz4.library_version_string()}"


@cache
def _library() -> Any:
    import lz4.block

    return lz4.block
