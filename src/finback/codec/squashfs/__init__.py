"""SquashFS 4.0 images: read-only, compressed, mounted by Linux.

Subset: zstd, zlib, xz, LZ4 or no compression; blocks of 4 KiB to 1 MiB; files with fragments, holes, and duplicates
stored once; hard links, symbolic links, devices, fifos, sockets; extended attributes; directory index; export table.
Not written: compressor options but LZ4's, which must be there, LZO, tail packing of files that are longer than a block.

The image is the same for any number of threads.

Source: the kernel's Documentation/filesystems/squashfs.rst and fs/squashfs/squashfs_fs.h.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Generator, Iterable
from dataclasses import dataclass

from finback.codec.duplicates import firsts
from finback.codec.squashfs.compressor import compressor
from finback.codec.squashfs.data import DataArea, Placement
from finback.codec.squashfs.inode import Inodes
from finback.codec.squashfs.metadata import table
from finback.codec.squashfs.xattr import Xattrs
from finback.tree.content import Content, Reader
from finback.tree.entry import AnyEntry, Directory, File
from finback.tree.node import Node, inodes, root

HEAD = 96
"""Bytes in the superblock."""
MAGIC = 0x73717368
# What devices are read in; the kernel does not look beyond the end of one.
PADDING = 4096
NOWHERE = 0xFFFFFFFFFFFFFFFF
DUPLICATES, EXPORTABLE, NO_XATTRS, OPTIONS = 0x40, 0x80, 0x200, 0x400


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How an image is made."""

    method: str = "zstd"
    """`zstd`, `gzip`, `xz`, `lz4` or `none`."""
    level: int | None = None
    """None: the method's default."""
    block_size: int = 131072
    mtime: int = 0
    """When the image was made, in seconds since 1970."""
    workers: int = 0
    """Threads that compress. 0: one for each processor."""


def encode(entries: Iterable[AnyEntry], read: Reader, settings: Settings = Settings()) -> Generator[bytes, None, bytes]:
    """The image of *entries* in chunks, without its first HEAD bytes: these, the superblock, are what is returned.

    The superblock says where everything is, which is known once everything is compressed. Who calls puts it in front.

    Raises:
        ValueError: the tree or the settings are not such as the format can hold.

    """
    _check(settings)
    size = settings.block_size
    squeezer = compressor(settings.method, settings.level, size)
    top = root(entries)
    nodes = list(inodes(top))
    contents: list[Content] = [n.entry.content for n in nodes if isinstance(n.entry, File)]
    same = firsts(contents, read)
    yield squeezer.options
    area = DataArea(squeezer, size, HEAD + len(squeezer.options))
    yield from area.pack(dict.fromkeys(same[c] for c in contents), read, settings.workers or os.cpu_count() or 1)
    xattrs = Xattrs(squeezer)
    made = Inodes(squeezer, xattrs)
    _fill(made, nodes, same, area)

    position = area.end
    starts = []
    for part in (made.inodes.finish(), made.directories.finish()):
        starts.append(position)
        position += len(part)
        yield part
    fragments = b"".join(struct.pack("<QII", at, word, 0) for at, word in area.fragments)
    exported = struct.pack(f"<{len(nodes)}Q", *made.references(nodes))
    ids = struct.pack(f"<{len(made.ids)}I", *made.ids)
    for data in (fragments, exported, ids):
        listed, pointers = table(data, squeezer, position)
        starts.append(pointers)
        position += len(listed)
        yield listed
    listed, found = xattrs.finish(position)
    position += len(listed)
    yield listed
    yield b"\0" * (-position % PADDING)
    flags = DUPLICATES | EXPORTABLE | (NO_XATTRS if found is None else 0) | (OPTIONS if squeezer.options else 0)
    inode_table, directory_table, fragment_table, export_table, id_table = starts
    return struct.pack(
        "<IIIIIHHHHHHQQQQQQQQ",
        *(MAGIC, len(nodes), settings.mtime, size, len(area.fragments)),
        *(squeezer.number, size.bit_length() - 1, flags, len(made.ids), 4, 0),
        *(*made.references([top]), position, id_table, NOWHERE if found is None else found),
        *(inode_table, directory_table, fragment_table, export_table),
    )


def _check(settings: Settings) -> None:
    if settings.block_size not in (1 << n for n in range(12, 21)):
        raise ValueError(f"a block has 4 KiB to 1 MiB and is a power of two, not {settings.block_size}")
    if not 0 <= settings.mtime <= 0xFFFFFFFF:
        raise ValueError(f"the time {settings.mtime} does not fit SquashFS")


def _fill(made: Inodes, nodes: list[Node], same: dict[Content, Content], area: DataArea) -> None:
    for node in nodes:
        if isinstance(node.entry, File):
            made.add(node, area.placement(same[node.entry.content]))
        elif not isinstance(node.entry, Directory):
            made.add(node, Placement())
    for node in reversed(nodes):
        if isinstance(node.entry, Directory):
            made.add_directory(node, len(nodes) + 1)
