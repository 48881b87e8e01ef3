"""QEMU's copy-on-write disks, version 3, with compressed clusters.

Subset: clusters of 64 KiB, no snapshots, no backing file, no encryption; clusters of zeros are left out, those that
shrink are compressed (deflate, which every reader has), the rest is stored as it is. The tables come first and tell
where compressed clusters begin, so these are compressed before anything is written; those that do not fit into memory
are compressed again when their turn comes.

Source: QEMU, docs/interop/qcow2.txt.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finback.codec import disk
from finback.codec.disk import Disk
from finback.tree.content import Inline, Reader, Stretch

_BITS = 16
CLUSTER = 1 << _BITS
SECTOR = 512
_PER_TABLE = CLUSTER // 8
_PER_REFCOUNTS = CLUSTER // 2
_HEADER = 104
_COPIED = 1 << 63
_COMPRESSED = 1 << 62
# In a compressed cluster's entry, where the number of its further sectors stands.
_SECTORS_AT = 62 - (_BITS - 8)
# A cluster whose beginning does not shrink by a tenth is taken for compressed already.
_PROBE = 4096
# How many bytes of compressed clusters are kept until they are written.
KEPT = 64 << 20


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where everything lies, in clusters unless said otherwise."""

    l1: int
    """Entries of the first table."""
    refcounts: int
    """Blocks of reference counts."""
    tables: tuple[int, ...]
    """Which second tables there are."""
    plain: tuple[int, ...]
    """Guest's clusters that are stored as they are."""
    small: tuple[tuple[int, int], ...]
    """Guest's clusters that are compressed, each with its size in bytes."""

    @property
    def l1_at(self) -> int:
        return 1

    @property
    def refcount_table(self) -> tuple[int, int]:
        """Place and size of the table of blocks of reference counts."""
        return self.l1_at + -(-self.l1 * 8 // CLUSTER), -(-self.refcounts * 8 // CLUSTER)

    @property
    def refcounts_at(self) -> int:
        return sum(self.refcount_table)

    @property
    def tables_at(self) -> int:
        return self.refcounts_at + self.refcounts

    @property
    def plain_at(self) -> int:
        return self.tables_at + len(self.tables)

    @property
    def small_at(self) -> int:
        return self.plain_at + len(self.plain)

    @property
    def end(self) -> int:
        return self.small_at + -(-sum(s for _, s in self.small) // CLUSTER)


def encode(image: Iterable[Stretch], read: Reader) -> Iterator[Stretch]:
    """The file for the disk *image*."""
    guest = tuple(image)
    plan, kept = _plan(guest, read)
    entries = _entries(plan)
    yield Inline(_header(plan, disk.size(guest)))
    first = [0] * plan.l1
    for i, table in enumerate(plan.tables):
        first[table] = _COPIED | (plan.tables_at + i) * CLUSTER
    yield Inline(_table(first))
    at = plan.refcounts_at
    yield Inline(_table([(at + i) * CLUSTER for i in range(plan.refcounts)]))
    yield Inline(_refcounts(plan))
    for table in plan.tables:
        base = table * _PER_TABLE
        yield Inline(_table([entries.get(base + i, 0) for i in range(_PER_TABLE)]))
    plain = frozenset(plan.plain)
    for number, part in disk.cut(guest, CLUSTER):
        if number in plain:
            yield from part
    small = dict(plan.small)
    for number, part in disk.cut(guest, CLUSTER):
        if number in small:
            yield Inline(kept.pop(number, b"") or _deflated(b"".join(disk.content(part, read))))
    yield Inline(b"\0" * (-sum(small.values()) % CLUSTER))


def _plan(guest: Disk, read: Reader) -> tuple[_Plan, dict[int, bytes]]:
    """Where everything goes, and as many of the compressed clusters as may be kept."""
    plain: list[int] = []
    small: list[tuple[int, int]] = []
    kept: dict[int, bytes] = {}
    room = KEPT
    for number, data in disk.blocks(guest, read, CLUSTER):
        packed = _deflated(data) if len(zlib.compress(data[:_PROBE], 1)) < _PROBE * 9 // 10 else data
        # What saves no sector is not worth unpacking.
        if len(packed) > CLUSTER - SECTOR:
            plain.append(number)
            continue
        small.append((number, len(packed)))
        if len(packed) <= room:
            kept[number] = packed
            room -= len(packed)
    tables = sorted({n // _PER_TABLE for n in plain} | {n // _PER_TABLE for n, _ in small})
    l1 = max(1, -(-disk.size(guest) // (CLUSTER * _PER_TABLE)))
    blocks = 1
    while True:
        plan = _Plan(l1, blocks, tuple(tables), tuple(plain), tuple(small))
        if plan.end <= blocks * _PER_REFCOUNTS:
            return plan, kept
        # More blocks may need more blocks.
        blocks += 1


def _entries(plan: _Plan) -> dict[int, int]:
    """The second tables' entries by the guest's cluster."""
    out = {n: _COPIED | (plan.plain_at + i) * CLUSTER for i, n in enumerate(plan.plain)}
    for number, at, length in _places(plan):
        further = (at + length - 1) // SECTOR - at // SECTOR
        out[number] = _COMPRESSED | further << _SECTORS_AT | at
    return out


def _places(plan: _Plan) -> Iterator[tuple[int, int, int]]:
    """Compressed clusters: the guest's number, place and size in bytes."""
    at = plan.small_at * CLUSTER
    for number, length in plan.small:
        yield number, at, length
        at += length


def _refcounts(plan: _Plan) -> bytes:
    counts = [1] * plan.small_at + [0] * (plan.refcounts * _PER_REFCOUNTS - plan.small_at)
    for _, at, length in _places(plan):
        for cluster in range(at // CLUSTER, (at + length - 1) // CLUSTER + 1):
            counts[cluster] += 1
    return struct.pack(f">{len(counts)}H", *counts)


def _header(plan: _Plan, size: int) -> bytes:
    place, length = plan.refcount_table
    out = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        b"QFI\xfb", 3, 0, 0, _BITS, size, 0, plan.l1, plan.l1_at * CLUSTER, place * CLUSTER, length, 0, 0,
        # Features: none. Reference counts have 2 to the power of 4 bits.
        0, 0, 0, 4, _HEADER,
    )  # fmt: skip
    return out.ljust(CLUSTER, b"\0")


def _table(entries: list[int]) -> bytes:
    data = struct.pack(f">{len(entries)}Q", *entries)
    return data.ljust(-(-len(data) // CLUSTER) * CLUSTER, b"\0")


def _deflated(data: bytes) -> bytes:
    # The window that QEMU unpacks with.
    compressor = zlib.compressobj(6, zlib.DEFLATED, -12)
    return compressor.compress(data) + compressor.flush()
