"""A disk as a value: stretches of bytes, of stored blobs and of nothing, in the order in which they lie on it.

Nothing here reads what it moves: a disk of many gigabytes is a handful of stretches, and a writer copies blobs from the
store without looking at them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from finback.tree.content import Hole, Inline, Reader, Slice, Stretch

SECTOR = 512
MIB = 1 << 20

Disk = tuple[Stretch, ...]


def size(disk: Iterable[Stretch]) -> int:
    """The number of bytes."""
    return sum(s.size for s in disk)


def aligned(value: int, unit: int) -> int:
    """*value* rounded up to a multiple of *unit*."""
    return -(-value // unit) * unit


def place(parts: Iterable[tuple[int, Iterable[Stretch]]], total: int) -> Disk:
    """A disk of *total* bytes with *parts*, each an offset and what begins there, in the order of their offsets.

    Raises:
        ValueError: parts overlap, or do not fit.

    """
    out: list[Stretch] = []
    at = 0
    for offset, stretches in parts:
        if offset < at:
            raise ValueError(f"something at {offset} begins before {at}, where what is there ends")
        if offset > at:
            out.append(Hole(offset - at))
        body = [s for s in stretches if s.size]
        out += body
        at = offset + size(body)
    if at > total:
        raise ValueError(f"{at} bytes do not fit into {total}")
    if at < total:
        out.append(Hole(total - at))
    return tuple(out)


def flow(disk: Iterable[Stretch]) -> Iterator[bytes | Slice | Hole]:
    """The stretches as a format yields them."""
    return (s.data if isinstance(s, Inline) else s for s in disk)


def cut(disk: Iterable[Stretch], block: int) -> Iterator[tuple[int, Disk]]:
    """The blocks of *block* bytes that are not all hole, each with its number; the last is filled with a hole."""
    number, gathered, room = 0, list[Stretch](), block

    def full() -> bool:
        return any(not isinstance(s, Hole) for s in gathered)

    for stretch in disk:
        done = 0
        while done < stretch.size:
            if isinstance(stretch, Hole) and room == block:
                # What a hole covers wholly is passed over at once.
                number += (stretch.size - done) // block
                done += (stretch.size - done) // block * block
                if done == stretch.size:
                    break
            taken = min(room, stretch.size - done)
            gathered.append(_part(stretch, done, taken))
            done += taken
            room -= taken
            if not room:
                if full():
                    yield number, tuple(gathered)
                number, gathered, room = number + 1, [], block
    if full():
        yield number, (*gathered, Hole(room))


def blocks(disk: Iterable[Stretch], read: Reader, block: int) -> Iterator[tuple[int, bytes]]:
    """The blocks of *block* bytes that hold anything but zeros, each with its number."""
    zeros = bytes(block)
    for number, part in cut(disk, block):
        data = b"".join(content(part, read))
        if data != zeros:
            yield number, data


def content(disk: Iterable[Stretch], read: Reader) -> Iterator[bytes | memoryview]:
    """The bytes, those of holes included, in chunks of at most 1 MiB."""
    for stretch in disk:
        if isinstance(stretch, Hole):
            for done in range(0, stretch.size, MIB):
                yield bytes(min(MIB, stretch.size - done))
        else:
            yield from read(stretch)


def _part(stretch: Stretch, offset: int, length: int) -> Stretch:
    if isinstance(stretch, Hole):
        return Hole(length)
    if isinstance(stretch, Slice):
        return replace(stretch, offset=stretch.offset + offset, size=length)
    return Inline(stretch.data[offset : offset + length])
