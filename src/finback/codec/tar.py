"""tar archives: POSIX ustar with pax extended headers. Reading is the standard library's; writing is deterministic.

Subset read: files, directories, links, devices, fifos; sparse files are refused. Subset written: the same, with pax
records only where ustar has no room, or where the caller adds some.

Source: POSIX.1-2017, pax, "pax Interchange Format"; extended attributes as `SCHILY.xattr.` records.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO

from finback.ground.digest import Digest
from finback.tree.content import Reader, Slice
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Symlink

BLOCK = 512
XATTR = "SCHILY.xattr."
MAX_ENTRIES = 5_000_000
_OCTAL_12 = 0o77777777777
_OCTAL_8 = 0o7777777

Records = Callable[[AnyEntry], Mapping[str, str]]


def clean(name: str) -> str:
    """A member's name as a tree path.

    Raises:
        ValueError: it leads out of the tree, or holds a NUL.

    """
    if "\0" in name:
        raise ValueError(f"name {name!r} holds a NUL")
    path = posixpath.normpath("/" + name.lstrip("/"))[1:]
    if ".." in name.split("/"):
        raise ValueError(f"name {name!r} leads out of the tree")
    return path


def decode(stream: BinaryIO, blob: Digest) -> Iterator[AnyEntry]:
    """The members of the archive in a seekable *stream*; contents are slices of *blob*.

    Raises:
        ValueError: it is no archive, is cut short, or has members that no tree can hold.

    """
    import tarfile

    try:
        with tarfile.open(fileobj=stream, mode="r:", errorlevel=2) as archive:
            for number, member in enumerate(archive):
                if number >= MAX_ENTRIES:
                    raise ValueError("too many members")
                # The library would otherwise keep every member that it has seen.
                archive.members = []  # type: ignore[attr-defined]
                yield _entry(member, blob)
    except tarfile.TarError as failure:
        raise ValueError(str(failure)) from None


def _entry(member, blob: Digest) -> AnyEntry:  # type: ignore[no-untyped-def] # noqa: ANN001
    path = clean(member.name)
    common = {
        "path": path, "mode": member.mode & 0o7777, "uid": member.uid, "gid": member.gid,
        "mtime": max(0, int(member.mtime)), "xattrs": _xattrs(member.pax_headers),
    }  # fmt: skip
    if member.issparse():
        raise ValueError(f"{path}: sparse files are not supported")
    if member.isreg():
        return File(content=Slice(blob, member.offset_data, member.size), **common)
    if member.isdir():
        return Directory(**common)
    if member.issym():
        return Symlink(target=member.linkname, **common)
    if member.islnk():
        return HardLink(target=clean(member.linkname), **common)
    if member.isblk() or member.ischr():
        return Device(block=member.isblk(), major=member.devmajor, minor=member.devminor, **common)
    if member.isfifo():
        return Fifo(**common)
    raise ValueError(f"{path}: member of unknown type {member.type!r}")


def _xattrs(headers: Mapping[str, str]) -> tuple[tuple[str, bytes], ...]:
    return tuple(
        sorted(
            (k[len(XATTR) :], v.encode("utf-8", "surrogateescape")) for k, v in headers.items() if k.startswith(XATTR)
        )
    )


def encode(entries: Iterable[AnyEntry], read: Reader, records: Records | None = None) -> Iterator[bytes | memoryview]:
    """The archive of *entries* in chunks, with the two zero blocks that end it.

    *records* gives further pax records for an entry. Every hard link must follow its target.
    """
    for entry in entries:
        size = entry.content.size if isinstance(entry, File) else 0
        extra = dict(records(entry)) if records else {}
        yield _head(entry, size, extra)
        if isinstance(entry, File) and size:
            yield from read(entry.content)
            if size % BLOCK:
                yield b"\0" * (-size % BLOCK)
    yield b"\0" * (2 * BLOCK)


def _head(entry: AnyEntry, size: int, extra: dict[str, str]) -> bytes:
    name = entry.path.encode("utf-8", "surrogateescape") or b"."
    if isinstance(entry, Directory):
        name += b"/"
    link = entry.target.encode("utf-8", "surrogateescape") if isinstance(entry, (Symlink, HardLink)) else b""
    pax = {k: v.encode("utf-8", "surrogateescape") for k, v in extra.items()}
    if len(name) > 100:
        pax["path"] = name
    if len(link) > 100:
        pax["linkpath"] = link
    if size > _OCTAL_12:
        pax["size"] = str(size).encode()
    for key, number in (("uid", entry.uid), ("gid", entry.gid)):
        if number > _OCTAL_8:
            pax[key] = str(number).encode()
    pax |= {XATTR + k: v for k, v in entry.xattrs}
    header = _header(entry, name[:100], link[:100], min(size, _OCTAL_12))
    if not pax:
        return header
    body = b"".join(_record(k.encode("utf-8", "surrogateescape"), v) for k, v in sorted(pax.items()))
    holder = File(path="", mode=0o644, mtime=0)
    # The specification suggests this name; readers ignore it.
    title = (b"PaxHeaders/" + name.rstrip(b"/").rsplit(b"/", 1)[-1])[:100]
    return _header(holder, title, b"", len(body), b"x") + body + b"\0" * (-len(body) % BLOCK) + header


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _header(entry: AnyEntry, name: bytes, link: bytes, size: int, kind: bytes | None = None) -> bytes:
    letters = {Directory: b"5", File: b"0", Symlink: b"2", HardLink: b"1", Fifo: b"6"}
    device = (0, 0)
    if isinstance(entry, Device):
        kind, device = (b"4" if entry.block else b"3"), (entry.major, entry.minor)
    kind = kind or letters[type(entry)]
    out = bytearray(BLOCK)
    out[0 : len(name)] = name
    out[100:108] = b"%07o\0" % entry.mode
    out[108:116] = b"%07o\0" % min(entry.uid, _OCTAL_8)
    out[116:124] = b"%07o\0" % min(entry.gid, _OCTAL_8)
    out[124:136] = b"%011o\0" % size
    out[136:148] = b"%011o\0" % min(max(entry.mtime, 0), _OCTAL_12)
    out[148:156] = b" " * 8
    out[156:157] = kind
    out[157 : 157 + len(link)] = link
    out[257:265] = b"ustar\x0000"
    out[329:337] = b"%07o\0" % device[0]
    out[337:345] = b"%07o\0" % device[1]
    out[148:156] = b"%06o\0 " % sum(out)
    return bytes(out)
