"""cpio archives in the "newc" form, which the Linux kernel unpacks as an initramfs.

Subset: files, directories, symbolic and hard links, devices, fifos, sockets. Extended attributes have no place in the
format and are left out; whoever calls says so. Numbers must fit 32 bits.

Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from finback.tree.content import Inline, Reader
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Socket, Symlink

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
BLOCK = 512
_TYPES = {Directory: 0o040000, File: 0o100000, Symlink: 0o120000, Fifo: 0o010000, Socket: 0o140000}
_NUMBERS = b"%08x" * 13


def encode(entries: Iterable[AnyEntry], read: Reader) -> Iterator[bytes | memoryview]:
    """The archive of *entries*, padded to 512 bytes, in chunks.

    Inode numbers count from 1 in the order given. The names of one file share its number, and the last of them carries
    the data, as GNU cpio writes it and as the kernel's unpacker understands it.

    Raises:
        ValueError: a number does not fit, or a hard link does not lead to a file of *entries*.

    """
    listed = list(entries)
    groups = _groups(listed)
    written = 0
    for number, entry in enumerate(listed, 1):
        group = groups.get(entry.path)
        size = _size(entry)
        if group is None:
            header = _header(entry, number, 2 if isinstance(entry, Directory) else 1, size)
        else:
            group.left -= 1
            group.number = group.number or number
            entry = replace(group.file, path=entry.path)  # noqa: PLW2901
            size = 0 if group.left else group.file.content.size
            header = _header(entry, group.number, group.links, size)
        yield header
        written += len(header)
        if size:
            yield from _data(entry, read)
            padding = -size % 4
            if padding:
                yield b"\0" * padding
            written += size + padding
    tail = _member((0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), TRAILER.encode())
    yield tail + b"\0" * (-(written + len(tail)) % BLOCK)


@dataclass(slots=True)
class _Group:
    """The names of one file."""

    file: File
    links: int = 1
    left: int = 1
    number: int = 0


def _groups(entries: list[AnyEntry]) -> dict[str, _Group]:
    """The groups of more than one name, by each of their names."""
    linked = [e for e in entries if isinstance(e, HardLink)]
    if not linked:
        return {}
    files = {e.path: e for e in entries if isinstance(e, File)}
    groups: dict[str, _Group] = {}
    for link in linked:
        group = groups.get(link.target)
        if group is None:
            if link.target not in files:
                raise ValueError(f"hard link {link.path}: {link.target} is no file of the archive")
            group = groups[link.target] = _Group(files[link.target])
        group.links += 1
        group.left += 1
        groups[link.path] = group
    return groups


def _data(entry: AnyEntry, read: Reader) -> Iterable[bytes | memoryview]:
    if isinstance(entry, Symlink):
        return (entry.target.encode("utf-8", "surrogateescape"),)
    assert isinstance(entry, File)
    return read(entry.content)


def decode(data: bytes) -> list[AnyEntry]:
    """The entries of one archive, or of several one after the other.

    The names of one file come back as a file, at the first name, and hard links to it.

    Raises:
        ValueError: *data* is no such archive.

    """
    out: list[AnyEntry] = []
    linked: dict[int, int] = {}
    offset = 0
    while offset < len(data):
        if data[offset : offset + 1] == b"\0":
            offset += 1
            continue
        if data[offset : offset + 6] != MAGIC or len(data) < offset + 110:
            raise ValueError(f"no archive member at byte {offset}")
        fields = [int(data[offset + 6 + 8 * i : offset + 14 + 8 * i], 16) for i in range(13)]
        inode, mode, uid, gid, links, mtime, size, _, _, major, minor, name_size, _ = fields
        name = data[offset + 110 : offset + 110 + name_size - 1].decode("utf-8", "surrogateescape")
        start = offset + (110 + name_size + 3) // 4 * 4
        if start + size > len(data):
            raise ValueError("cut short")
        content = data[start : start + size]
        offset = start + (size + 3) // 4 * 4
        if name == TRAILER:
            # The next archive counts its inodes anew.
            linked.clear()
            continue
        entry = _entry(name, mode, (uid, gid, mtime), (major, minor), content)
        if isinstance(entry, File) and links > 1:
            entry = _link(entry, linked.setdefault(inode, len(out)), out)
        out.append(entry)
    return out


def _link(entry: File, first: int, out: list[AnyEntry]) -> AnyEntry:
    """*entry* as what it is: the first name of its file, or a link to that. The data may come with any name."""
    if first == len(out):
        return entry
    head = out[first]
    assert isinstance(head, File)
    if entry.content.size:
        out[first] = replace(head, content=entry.content)
    return HardLink(path=entry.path, target=head.path, mode=entry.mode, uid=entry.uid, gid=entry.gid, mtime=entry.mtime)


def _entry(path: str, mode: int, owner: tuple[int, int, int], device: tuple[int, int], content: bytes) -> AnyEntry:
    kind = mode & 0o170000
    if kind == 0o040000:
        entry: AnyEntry = Directory(path=path)
    elif kind == 0o100000:
        entry = File(path=path, content=Inline(content))
    elif kind == 0o120000:
        entry = Symlink(path=path, target=content.decode("utf-8", "surrogateescape"))
    elif kind == 0o010000:
        entry = Fifo(path=path)
    elif kind == 0o140000:
        entry = Socket(path=path)
    elif kind in (0o020000, 0o060000):
        entry = Device(path=path, block=kind == 0o060000, major=device[0], minor=device[1])
    else:
        raise ValueError(f"{path}: unknown type {kind:o}")
    return replace(entry, mode=mode & 0o7777, uid=owner[0], gid=owner[1], mtime=owner[2])


def _size(entry: AnyEntry) -> int:
    if isinstance(entry, File):
        return entry.content.size
    if isinstance(entry, Symlink):
        return len(entry.target.encode("utf-8", "surrogateescape"))
    return 0


def _header(entry: AnyEntry, inode: int, links: int, size: int) -> bytes:
    device = (0, 0)
    if isinstance(entry, Device):
        kind, device = (0o060000 if entry.block else 0o020000), (entry.major, entry.minor)
    else:
        kind = _TYPES[type(entry)]
    numbers = (inode, kind | entry.mode, entry.uid, entry.gid, links, entry.mtime, size, 0, 0, *device)
    return _member(numbers, entry.path.encode("utf-8", "surrogateescape"))


def _member(numbers: tuple[int, ...], name: bytes) -> bytes:
    numbers = (*numbers, len(name) + 1, 0)
    if min(numbers) < 0 or max(numbers) > 0xFFFFFFFF:
        raise ValueError(f"{name.decode(errors='replace')}: a number does not fit the archive format")
    header = MAGIC + (_NUMBERS % numbers) + name + b"\0"
    return header + b"\0" * (-len(header) % 4)
