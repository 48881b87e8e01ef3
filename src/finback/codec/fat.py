"""FAT file systems: FAT12, FAT16 and FAT32, with long names, of exactly the size that their content needs.

Subset: sectors of 512 bytes, two tables, every file in one stretch; the volume is as large as its files and full, or as
large as its kind must be at least. Directories come before what is in them. Everything has the same time.

Source: Microsoft, FAT32 File System Specification 1.03 (fatgen103); ECMA-107 for FAT12 and FAT16.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from finback.codec import disk, fat_names
from finback.codec.disk import Disk
from finback.tree.content import Inline, Stretch

SECTOR = 512
TABLES = 2
# Kinds are told apart by the number of clusters alone; fatgen103 advises to stay 16 away from where that changes.
_FEWEST = {12: 1, 16: 4085 + 16, 32: 65525 + 16}
_MOST = {12: 4084 - 16, 16: 65524 - 16, 32: (1 << 28) - 32}
_END = {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFFFFFF}
_ROOT_ENTRIES = 512
# 65535 entries: what a directory's size, which nothing records, may be.
_FOLDER_LIMIT = 65536 * 32
_FILE_LIMIT = (1 << 32) - 1
_FOLDER, _ARCHIVE, _LABEL = 0x10, 0x20, 0x08
_INFO_SECTOR, _BACKUP_SECTOR = 1, 6
# Where the code of a boot sector begins, for every kind: it must not reach into FAT32's longer parameters.
CODE_AT = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a volume has besides its files."""

    label: str = "NO NAME"
    serial: int = 0
    epoch: int = 0
    first: int = 0
    """The sector of the disk where the volume begins."""
    bits: int = 0
    """12, 16 or 32. 0: the smallest that does."""
    cluster: int = 1
    """The fewest sectors that a cluster may have. Files begin at multiples of that size, up to 4 KiB."""
    boot: bytes = b""
    """A boot sector whose jump, name and code are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A file system, and where its files are."""

    disk: Disk
    offsets: Mapping[str, int]
    """Of each file that is not empty, from the volume's beginning."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A file or directory of the tree."""

    path: str
    body: Disk = ()
    children: dict[str, _Node] | None = None
    """None for a file."""


@dataclass(frozen=True, slots=True)
class _Geometry:
    bits: int
    per_cluster: int
    """Sectors per cluster."""
    clusters: int
    root_entries: int

    @property
    def table(self) -> int:
        """Sectors of one table."""
        return -(-(self.clusters + 2) * self.bits // (8 * SECTOR))

    @property
    def reserved(self) -> int:
        """Sectors before the tables; more than needed, so that clusters lie at multiples of their size, or of 4 KiB."""
        if self.bits != 32:
            return 1 + -(1 + TABLES * self.table + self.root_entries * 32 // SECTOR) % self.per_cluster
        return 32 + -TABLES * self.table % 8

    @property
    def data(self) -> int:
        """The first sector of the first cluster."""
        return self.reserved + TABLES * self.table + self.root_entries * 32 // SECTOR

    @property
    def sectors(self) -> int:
        """All sectors of the volume."""
        return self.data + self.clusters * self.per_cluster


def encode(files: Mapping[str, Iterable[Stretch] | None], settings: Settings = Settings()) -> Volume:
    """A volume with *files*, by their paths; None is a directory. Directories on the way need not be named.

    Raises:
        ValueError: a name, a file or a directory that FAT can't carry, or more than the kind can hold.

    """
    root = _tree(files)
    geometry = _geometry(root, settings.bits, settings.cluster)
    writer = _Writer(geometry, settings)
    writer.lay(root)
    return Volume(disk=writer.disk(), offsets=writer.offsets)


def _tree(files: Mapping[str, Iterable[Stretch] | None]) -> _Node:
    root = _Node("", (), {})
    for path in sorted(files):
        node, walked = root, ""
        *folders, name = path.split("/")
        for step in folders:
            walked = f"{walked}/{step}".lstrip("/")
            assert node.children is not None
            node = node.children.setdefault(step, _Node(walked, (), {}))
            if node.children is None:
                raise ValueError(f"{walked!r} is a file and a directory")
        assert node.children is not None
        stretches = files[path]
        if stretches is None:
            node.children.setdefault(name, _Node(path, (), {}))
            continue
        body = tuple(stretches)
        if disk.size(body) > _FILE_LIMIT:
            raise ValueError(f"{path!r} has more than the 4 GiB that FAT allows a file")
        node.children[name] = _Node(path, body)
    return root


def _geometry(root: _Node, bits: int, least: int) -> _Geometry:
    files: list[int] = []
    folders: list[int] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.children is None:
            files.append(disk.size(node.body))
            continue
        length = _folder_size(node)
        if length > _FOLDER_LIMIT:
            raise ValueError(f"directory {node.path or '/'!r} has more entries than FAT allows")
        folders.append(length)
        waiting += node.children.values()

    def clusters(per_cluster: int, *, root_too: bool) -> int:
        unit = per_cluster * SECTOR
        return sum(-(-n // unit) for n in (*files, *(folders if root_too else folders[1:])))

    kinds = (bits,) if bits else (12, 16, 32)
    for kind in kinds:
        for per_cluster in _cluster_sizes(kind, given=bool(bits)):
            needed = clusters(per_cluster, root_too=kind == 32)
            if per_cluster < least:
                continue
            # Larger clusters only where the volume is large enough for them without being padded.
            if needed > _MOST[kind] or (kind == 32 and per_cluster > 1 and needed < _FEWEST[32]):
                continue
            entries = 0 if kind == 32 else max(_ROOT_ENTRIES, disk.aligned(folders[0] // 32, SECTOR // 32))
            if entries <= 0xFFFF:
                return _Geometry(kind, per_cluster, max(needed, _FEWEST[kind]), entries)
    raise ValueError(f"the files are too large for FAT{bits or 32}")


def _cluster_sizes(kind: int, *, given: bool) -> tuple[int, ...]:
    if kind == 32:
        return 8, 4, 2, 1, 16, 32, 64
    return (1, 2, 4, 8, 16, 32, 64) if given else (1,)


def _folder_size(node: _Node) -> int:
    assert node.children is not None
    # The label in the root, `.` and `..` elsewhere.
    return 32 * ((2 if node.path else 1) + sum(map(fat_names.slots, node.children)))


class _Writer:
    """Gives out clusters, fills tables and gathers what comes into the clusters."""

    def __init__(self, geometry: _Geometry, settings: Settings) -> None:
        self._geometry = geometry
        self._settings = settings
        self._cluster = geometry.per_cluster * SECTOR
        end = _END[geometry.bits]
        self._chain = array("I", (end & ~0xFF | 0xF8, end))
        self._parts: list[tuple[int, Disk]] = []
        self.offsets: dict[str, int] = {}
        moment = datetime.fromtimestamp(min(max(settings.epoch, 315532800), 4354819198), UTC)
        self._date = (moment.year - 1980) << 9 | moment.month << 5 | moment.day
        self._time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
        label = settings.label.upper().encode("ascii", "replace")
        self._label = label[:11].ljust(11)

    def lay(self, root: _Node) -> None:
        """Place the tree below *root*, which has the first clusters."""
        fixed = self._geometry.bits != 32
        start = 0 if fixed else self._allocate(_folder_size(root))
        data = self._folder(root, start, 0)
        offset = (self._geometry.data * SECTOR - self._geometry.root_entries * 32) if fixed else self._offset(start)
        self._parts.append((offset, (Inline(data),)))

    def _folder(self, node: _Node, own: int, parent: int) -> bytes:
        """Place what is in a directory; the directory's own bytes."""
        assert node.children is not None
        shorts = fat_names.short_names(node.children)
        if node.path:
            out = [self._entry(b".".ljust(11), _FOLDER, own, 0), self._entry(b"..".ljust(11), _FOLDER, parent, 0)]
        else:
            out = [self._entry(self._label, _LABEL, 0, 0)]
        # The root's number is 0 in the `..` of its directories, whatever it is.
        above = own if node.path else 0
        for name in sorted(node.children):
            child = node.children[name]
            if not fat_names.is_short(name):
                out.append(fat_names.long_entries(name, shorts[name]))
            if child.children is None:
                length = disk.size(child.body)
                start = self._allocate(length)
                if start:
                    self.offsets[child.path] = self._offset(start)
                    self._parts.append((self._offset(start), child.body))
                out.append(self._entry(shorts[name], _ARCHIVE, start, length))
            else:
                start = self._allocate(_folder_size(child))
                self._parts.append((self._offset(start), (Inline(self._folder(child, start, above)),)))
                out.append(self._entry(shorts[name], _FOLDER, start, 0))
        return b"".join(out)

    def _allocate(self, length: int) -> int:
        """The first of the clusters for *length* bytes; 0 when there is nothing to keep."""
        count = -(-length // self._cluster)
        if not count:
            return 0
        start = len(self._chain)
        self._chain.extend(range(start + 1, start + count))
        self._chain.append(_END[self._geometry.bits])
        return start

    def _offset(self, cluster: int) -> int:
        return self._geometry.data * SECTOR + (cluster - 2) * self._cluster

    def _entry(self, name: bytes, attributes: int, start: int, length: int) -> bytes:
        time, date = self._time, self._date
        return struct.pack(
            "<11sBBBHHHHHHHI", name, attributes, 0, 0, time, date, date, start >> 16, time, date, start & 0xFFFF, length
        )

    def disk(self) -> Disk:
        """The whole volume."""
        geometry = self._geometry
        assert len(self._chain) - 2 <= geometry.clusters
        table = _PACKED[geometry.bits](self._chain)
        heads: list[tuple[int, Disk]] = [(0, (Inline(self._head()),))]
        heads += [((geometry.reserved + i * geometry.table) * SECTOR, (Inline(table),)) for i in range(TABLES)]
        return disk.place(sorted(heads + self._parts, key=lambda p: p[0]), geometry.sectors * SECTOR)

    def _head(self) -> bytes:
        """The reserved sectors, as far as they hold something."""
        boot = self._boot_sector()
        if self._geometry.bits != 32:
            return boot
        free = self._geometry.clusters - (len(self._chain) - 2)
        following = len(self._chain) if free else 0xFFFFFFFF
        info = struct.pack("<I480xIII12xI", 0x41615252, 0x61417272, free, following, 0xAA550000)
        third = b"\0" * 510 + b"\x55\xaa"
        return (boot + info + third).ljust(_BACKUP_SECTOR * SECTOR, b"\0") + boot + info + third

    def _boot_sector(self) -> bytes:
        geometry, settings = self._geometry, self._settings
        small = geometry.bits != 32 and geometry.sectors < 1 << 16
        start = settings.boot[:11] or b"\xeb\x58\x90FINBACK "
        out = start + struct.pack(
            "<HBHBHHBHHHII",
            SECTOR, geometry.per_cluster, geometry.reserved, TABLES, geometry.root_entries,
            geometry.sectors if small else 0, 0xF8, geometry.table if geometry.bits != 32 else 0, 63, 255,
            settings.first, 0 if small else geometry.sectors,
        )  # fmt: skip
        if geometry.bits == 32:
            out += struct.pack("<IHHIHH12x", geometry.table, 0, 0, 2, _INFO_SECTOR, _BACKUP_SECTOR)
        kind = f"FAT{geometry.bits}".ljust(8).encode()
        out += struct.pack("<BBBI11s8s", 0x80, 0, 0x29, settings.serial, self._label, kind)
        code = settings.boot[CODE_AT:510] or _HALT
        return (out.ljust(CODE_AT, b"\0") + code).ljust(510, b"\0") + b"\x55\xaa"


# A BIOS that boots the volume all the same stops here (cli; hlt; jmp).
_HALT = b"\xfa\xf4\xeb\xfd"


def _packed12(chain: array[int]) -> bytes:
    out = bytearray()
    for i in range(0, len(chain), 2):
        low, high = chain[i], chain[i + 1] if i + 1 < len(chain) else 0
        out += bytes((low & 0xFF, low >> 8 | (high & 0xF) << 4, high >> 4))
    return bytes(out[: -(-len(chain) * 12 // 8)])


_PACKED: dict[int, Callable[[array[int]], bytes]] = {
    12: _packed12,
    16: lambda chain: struct.pack(f"<{len(chain)}H", *chain),
    32: lambda chain: struct.pack(f"<{len(chain)}I", *chain),
}
