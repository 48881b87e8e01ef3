"""Sparse files in tar archives: which stretches of a file are there.

Read are GNU tar's own form and its three forms in pax headers (0.0, 0.1 and 1.0).

Source: GNU tar manual, "Storing Sparse Files".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from finback.codec.tar_header import BLOCK, MAX_NUMBER, Member, number

MAX_STRETCHES = 1 << 18


@dataclass(frozen=True, slots=True)
class Stretch:
    """`size` bytes of a file at `start`, which are at `offset` in the archive."""

    start: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Sparse:
    """A file of `size` bytes; what is between the stretches is zeros."""

    size: int
    stretches: tuple[Stretch, ...]


def is_sparse(member: Member) -> bool:
    """Whether the member is a sparse file."""
    return member.kind == b"S" or (member.kind == b"0" and any(k.startswith(b"GNU.sparse.") for k in _keys(member)))


def sparse(member: Member, stream: BinaryIO) -> tuple[Sparse, int]:
    """The file, and where in the archive its data end. *stream* stands after the header; it is moved.

    Raises:
        ValueError: the map of the file is faulty.

    """
    end = member.offset + member.size
    if member.kind == b"S":
        size = number(member.block[483:495])
        pairs, data = _gnu(member, stream)
        # Blocks that continue the map are not counted in the member's size.
        end += data - member.offset
    elif member.pax.get(b"GNU.sparse.major") == b"1" and member.pax.get(b"GNU.sparse.minor") == b"0":
        size = _decimal(member.pax.get(b"GNU.sparse.realsize", b""))
        pairs, data = _map_in_data(member, stream)
    else:
        size = _decimal(member.pax.get(b"GNU.sparse.size", b""))
        numbers = _map_in_header(member)
        pairs, data = list(zip(numbers[::2], numbers[1::2], strict=True)), member.offset
    return Sparse(size, _stretches(pairs, data, end, size)), end


def _keys(member: Member) -> Iterable[bytes]:
    return (*member.pax, *(key for key, _ in member.sparse))


def _stretches(pairs: Sequence[tuple[int, int]], data: int, end: int, size: int) -> tuple[Stretch, ...]:
    out = []
    last = 0
    for start, length in pairs:
        if start < last or start + length > size:
            raise ValueError("the map of a sparse file is out of order")
        if length:
            out.append(Stretch(start, data, length))
        data += length
        last = start + length
    if data != end:
        raise ValueError("the map of a sparse file does not fit its data")
    return tuple(out)


def _gnu(member: Member, stream: BinaryIO) -> tuple[list[tuple[int, int]], int]:
    pairs: list[tuple[int, int]] = []
    table, more = member.block[386:482], member.block[482]
    at = member.offset
    while True:
        for i in range(0, len(table) - 23, 24):
            if not table[i : i + 24].strip(b"\0 "):
                break
            pairs.append((number(table[i : i + 12]), number(table[i + 12 : i + 24])))
        if not more:
            return pairs, at
        block = stream.read(BLOCK)
        at += BLOCK
        if len(block) != BLOCK or len(pairs) > MAX_STRETCHES:
            raise ValueError("the map of a sparse file is cut short, or too long")
        table, more = block[:504], block[504]


def _map_in_header(member: Member) -> list[int]:
    if b"GNU.sparse.map" in member.pax:
        words = member.pax[b"GNU.sparse.map"].split(b",")
    else:
        # 0.0 repeats two keys, in this order.
        expected = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")
        if any(key != expected[i % 2] for i, (key, _) in enumerate(member.sparse)):
            raise ValueError("the map of a sparse file is out of order")
        words = [value for _, value in member.sparse]
    if len(words) % 2:
        raise ValueError("the map of a sparse file is cut short")
    return [_decimal(w) for w in words]


def _map_in_data(member: Member, stream: BinaryIO) -> tuple[list[tuple[int, int]], int]:
    """Numbers, a line each: how many pairs, then the pairs; filled up to a whole block."""
    at = member.offset
    text = bytearray()
    lines, wanted = 0, 1
    while lines < wanted:
        block = stream.read(BLOCK)
        at += BLOCK
        if len(block) != BLOCK or at > member.offset + member.size or len(text) > MAX_STRETCHES * BLOCK:
            raise ValueError("the map of a sparse file is cut short, or too long")
        text += block
        lines += block.count(b"\n")
        if wanted == 1 and not lines and len(text) >= BLOCK:
            # Reading on would look through all of it once more for each block.
            raise ValueError("the map of a sparse file does not begin with a number")
        if wanted == 1:
            pairs = _decimal(bytes(text.split(b"\n", 1)[0]))
            if pairs > MAX_STRETCHES:
                raise ValueError("the map of a sparse file is too long")
            wanted += 2 * pairs
    numbers = [_decimal(w) for w in bytes(text).split(b"\n", wanted)[1:wanted]]
    return list(zip(numbers[::2], numbers[1::2], strict=True)), at


def _decimal(word: bytes) -> int:
    if not word.isdigit() or len(word) > 19 or int(word) > MAX_NUMBER:
        raise ValueError(f"{word[:40]!r} is no number of a sparse file")
    return int(word)
