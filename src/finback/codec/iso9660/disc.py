"""A whole disc: what is where, and its bytes.

System area, descriptors, boot catalog, path tables, directories, data of files; then, on a disc that boots as a disk
too, the copy of its partition table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from finback.codec import disk
from finback.codec.disk import MIB, Disk
from finback.codec.iso9660 import el_torito, hybrid, volume
from finback.codec.iso9660.field import SECTOR, sectors
from finback.codec.iso9660.hierarchy import JOLIET, PLAIN, Hierarchy
from finback.codec.iso9660.node import Body, Data, Node, Within, tree, walk
from finback.codec.iso9660.volume import Volume
from finback.tree.content import Inline
from finback.tree.entry import AnyEntry

# Readers fetch ahead: drives and kernels past the end of a disc that was just burnt (mkisofs(8), -pad), libisofs past
# that of the last directory.
PADDING = 150
# Sectors of the descriptors: the primary one, that of El Torito, Joliet's, and what ends them.
FIRST = el_torito.PRIMARY


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What machines boot from the disc, each by the path of a file of its tree; "" is nothing."""

    bios: str = ""
    """ISOLINUX's program, which gets the table that it finds itself by."""
    efi: str = ""
    """A FAT volume with what UEFI firmware starts. It begins at a multiple of 1 MiB."""
    hybrid: hybrid.Hybrid | None = None
    """Makes the disc bootable as a disk."""


def encode(
    entries: Iterable[AnyEntry],
    about: Volume,
    bodies: Mapping[str, Body] | None = None,
    boot: Boot = Boot(),
) -> Disk:
    """A disc with the tree of *entries*. A file that *bodies* names by its path has that instead of its content.

    Raises:
        ValueError: a name is there twice, a number does not fit, or a hard link or boot image is no file of the tree.

    """
    return _Disc(tree(entries, bodies or {}, about.epoch), about, boot).disk()


class _Disc:
    """Gives everything its place."""

    def __init__(self, root: Node, about: Volume, boot: Boot) -> None:
        self._about, self._boot = about, boot
        self._nodes = {n.entry.path: n for n in walk(root)}
        self._hierarchies = [Hierarchy(root, form) for form in ((PLAIN, JOLIET) if about.joliet else (PLAIN,))]
        self._parts: list[tuple[int, Disk]] = []
        boots = bool(boot.bios or boot.efi)
        at = FIRST + len(self._hierarchies) + 1 + boots
        self._catalog = at if boots else 0
        at += boots
        self._tables: list[int] = []
        for hierarchy in self._hierarchies:
            self._tables.append(at)
            at += 2 * sectors(hierarchy.table_size)
        self._extents: list[int] = []
        for hierarchy in self._hierarchies:
            self._extents.append(at)
            at = hierarchy.place(at)
        self._size = (self._lay_data(at) + PADDING) * SECTOR
        if boot.hybrid:
            self._size = disk.aligned(self._size + hybrid.TAIL, MIB)

    def _lay_data(self, at: int) -> int:
        """Place the data of files; the first sector behind them."""
        bios = self._data(self._boot.bios) if self._boot.bios else None
        efi = self._data(self._boot.efi) if self._boot.efi else None
        placed = {n.data: n for n in self._nodes.values() if n.data is not None}
        for data in placed:
            if isinstance(data.body, Within):
                continue
            at = disk.aligned(at * SECTOR, MIB) // SECTOR if data is efi else at
            data.sector = at
            self._parts.append((at * SECTOR, _with_boot_info(data.body, at) if data is bios else data.body))
            at += sectors(data.size)
        for data, node in placed.items():
            if isinstance(data.body, Within):
                holder = self._data(data.body.path)
                if data.body.offset % SECTOR or data.body.offset + data.size > holder.size:
                    raise ValueError(f"{node.entry.path} does not lie in sectors of {data.body.path}")
                data.sector = holder.sector + data.body.offset // SECTOR
        return at

    def _data(self, path: str) -> Data:
        node = self._nodes.get(path)
        if node is None or node.data is None:
            raise ValueError(f"{path} is no file of the disc")
        return node.data

    def disk(self) -> Disk:
        """The bytes."""
        parts = [*self._parts, (FIRST * SECTOR, (Inline(self._head()),))]
        for table, extent, hierarchy in zip(self._tables, self._extents, self._hierarchies, strict=True):
            big = table + sectors(hierarchy.table_size)
            parts.append((table * SECTOR, (Inline(hierarchy.table("<")),)))
            parts.append((big * SECTOR, (Inline(hierarchy.table(">")),)))
            parts.append((extent * SECTOR, (Inline(b"".join(hierarchy.extents())),)))
        if self._boot.hybrid:
            bios = self._data(self._boot.bios).sector if self._boot.bios else 0
            efi = self._data(self._boot.efi) if self._boot.efi else None
            volume_of_efi = (efi.sector * SECTOR, efi.size) if efi else None
            head, tail = hybrid.encode(self._boot.hybrid, self._size, bios * SECTOR, volume_of_efi)
            parts += [(0, (Inline(head),)), (self._size - len(tail), (Inline(tail),))]
        return disk.place(sorted(parts, key=lambda p: p[0]), self._size)

    def _head(self) -> bytes:
        """The descriptors, and the boot catalog behind them."""
        out = []
        for number, (table, hierarchy) in enumerate(zip(self._tables, self._hierarchies, strict=True)):
            places = volume.Places(
                table_size=hierarchy.table_size,
                little=table,
                big=table + sectors(hierarchy.table_size),
                root=hierarchy.root_record(),
            )
            out.append(volume.descriptor(self._about, places, self._size // SECTOR, joliet=number > 0))
        if self._catalog:
            out.insert(1, el_torito.boot_record(self._catalog))
        out.append(volume.terminator())
        if self._catalog:
            out.append(el_torito.catalog(list(self._images())))
        return b"".join(out)

    def _images(self) -> Iterator[tuple[int, int, int]]:
        if self._boot.bios:
            yield el_torito.X86, self._data(self._boot.bios).sector, el_torito.BIOS_LOAD
        if self._boot.efi:
            efi = self._data(self._boot.efi)
            yield el_torito.EFI, efi.sector, el_torito.load_size(efi.size)


def _with_boot_info(body: Disk, sector: int) -> Disk:
    if len(body) != 1 or not isinstance(body[0], Inline):
        raise ValueError("the boot image of a disc is held in memory")
    return (Inline(el_torito.with_boot_info(body[0].data, sector)),)
