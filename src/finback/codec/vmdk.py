"""VMware's disks, stream-optimized: compressed, written and read in one pass, as OVF packages carry them.

Subset: one extent with its descriptor inside; grains of 64 KiB; grains of zeros are left out, those that look
compressed already are stored.

Source: VMware, Virtual Disk Format 5.0, "Hosted Sparse Extents" and "Stream-Optimized Compressed Sparse Extents".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

from finback.codec import disk
from finback.tree.content import Reader, Stretch

SECTOR = 512
GRAIN = 64 << 10
_PER_GRAIN = GRAIN // SECTOR
_PER_TABLE = 512
_DESCRIPTOR_AT, _DESCRIPTOR_SECTORS = 1, 20
_OVERHEAD = 128
_AT_END = (1 << 64) - 1
# Newline detection is valid, grains are compressed, markers separate them.
_FLAGS = 0x30001
_END, _TABLE, _DIRECTORY, _FOOTER = range(4)
_PROBE = 4096


def encode(image: Iterable[Stretch], read: Reader, *, name: str, content_id: int) -> Iterator[bytes]:
    """The file for the disk *image*. *name* is the file's own name, *content_id* changes when the content does."""
    guest = tuple(image)
    size = disk.size(guest)
    capacity = disk.aligned(size, GRAIN) // SECTOR
    yield _header(capacity, _AT_END)
    yield _descriptor(capacity, name, content_id).ljust((_OVERHEAD - 1) * SECTOR, b"\0")
    sector = _OVERHEAD
    directory = [0] * -(-capacity // (_PER_GRAIN * _PER_TABLE))
    table = [0] * _PER_TABLE
    current = -1
    for number, data in disk.blocks(guest, read, GRAIN):
        if number // _PER_TABLE != current:
            if current >= 0:
                directory[current] = sector + 1
                yield from _marked(_TABLE, struct.pack(f"<{_PER_TABLE}I", *table))
                sector += 1 + _PER_TABLE * 4 // SECTOR
            current, table = number // _PER_TABLE, [0] * _PER_TABLE
        table[number % _PER_TABLE] = sector
        packed = _packed(data)
        grain = struct.pack("<QI", number * _PER_GRAIN, len(packed)) + packed
        grain += b"\0" * (-len(grain) % SECTOR)
        yield grain
        sector += len(grain) // SECTOR
    if current >= 0:
        directory[current] = sector + 1
        yield from _marked(_TABLE, struct.pack(f"<{_PER_TABLE}I", *table))
        sector += 1 + _PER_TABLE * 4 // SECTOR
    yield from _marked(_DIRECTORY, struct.pack(f"<{len(directory)}I", *directory))
    yield from _marked(_FOOTER, _header(capacity, sector + 1))
    yield _marker(_END, 0)


def _packed(data: bytes) -> bytes:
    shrinks = len(zlib.compress(data[:_PROBE], 1)) < _PROBE * 9 // 10
    return zlib.compress(data, 6 if shrinks else 0)


def _marker(kind: int, sectors: int) -> bytes:
    return struct.pack("<QII", sectors, 0, kind).ljust(SECTOR, b"\0")


def _marked(kind: int, data: bytes) -> Iterator[bytes]:
    data = data.ljust(disk.aligned(len(data), SECTOR), b"\0")
    yield _marker(kind, len(data) // SECTOR)
    yield data


def _header(capacity: int, directory: int) -> bytes:
    return struct.pack(
        "<4sIIQQQQIQQQBccccH",
        b"KDMV", 3, _FLAGS, capacity, _PER_GRAIN, _DESCRIPTOR_AT, _DESCRIPTOR_SECTORS, _PER_TABLE, 0, directory,
        _OVERHEAD, 0, b"\n", b" ", b"\r", b"\n", 1,
    ).ljust(SECTOR, b"\0")  # fmt: skip


def _descriptor(capacity: int, name: str, content_id: int) -> bytes:
    lines = (
        "# Disk DescriptorFile",
        "version=1",
        f"CID={content_id:08x}",
        "parentCID=ffffffff",
        'createType="streamOptimized"',
        "",
        "# Extent description",
        f'RW {capacity} SPARSE "{name}"',
        "",
        "# The Disk Data Base",
        "#DDB",
        "",
        'ddb.virtualHWVersion = "14"',
        f'ddb.geometry.cylinders = "{min(capacity // (16 * 63), 65535)}"',
        'ddb.geometry.heads = "16"',
        'ddb.geometry.sectors = "63"',
        'ddb.adapterType = "lsilogic"',
        "",
    )
    return "\n".join(lines).encode().ljust(_DESCRIPTOR_SECTORS * SECTOR, b"\0")
