"""tar archives: POSIX ustar with pax extended headers. Writing is deterministic; reading trusts nothing.

Read are the formats of `finback.codec.tar_header`, and sparse files for who knows what to do with them. Written are
files, directories, links, devices and fifos, with pax records only where ustar has no room, or the caller adds some.

Source: POSIX.1-2017, pax, "pax Interchange Format"; extended attributes as `SCHILY.xattr.` records.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from finback.codec import tar_header
from finback.codec.tar_header import Member, device, next_member
from finback.codec.tar_sparse import Sparse, is_sparse, sparse
from finback.ground.digest import Digest
from finback.tree.content import Content, Reader, Slice
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Symlink

BLOCK = tar_header.BLOCK
XATTR = "SCHILY.xattr."
MAX_ENTRIES = 5_000_000
MAX_PATH = 4095
MAX_STEP = 255
# Characters of UTF-8 have up to four bytes.
_SHORT = MAX_STEP // 4
# Of the kernel: XATTR_NAME_MAX, XATTR_SIZE_MAX.
MAX_XATTR_NAME = 255
MAX_XATTR = 64 << 10
_OCTAL_12 = 0o77777777777
_OCTAL_8 = 0o7777777
_XATTR = XATTR.encode()

Records = Callable[[AnyEntry], Mapping[str, str]]
Expand = Callable[[Sparse], Content]
"""Makes the content of a sparse file of its stretches, which lie in the archive."""


def clean(name: str) -> str:
    """A member's name as a tree path.

    Raises:
        ValueError: it leads out of the tree, holds a NUL, or is longer than a name may be.

    """
    if "\0" in name:
        raise ValueError(f"name {name!r} holds a NUL")
    steps = [step for step in name.split("/") if step not in ("", ".")]
    if ".." in steps:
        raise ValueError(f"name {name!r} leads out of the tree")
    path = "/".join(steps)
    if len(path) > _SHORT:
        data = path.encode("utf-8", "surrogateescape")
        if len(data) > MAX_PATH or any(len(step) > MAX_STEP for step in data.split(b"/")):
            raise ValueError(f"name {name[:80]!r}... is longer than any file system bears")
    return path


def decode(stream: BinaryIO, blob: Digest, expand: Expand | None = None) -> Iterator[AnyEntry]:
    """The members of the archive in a seekable *stream*; contents are slices of *blob*.

    Sparse files are refused unless there is an *expand*.

    Raises:
        ValueError: it is no archive, is cut short, or has members that no tree can hold.

    """
    total = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    for _ in range(MAX_ENTRIES):
        member = next_member(stream, total)
        if member is None:
            return
        end = member.offset + member.size
        if is_sparse(member):
            found, end = sparse(member, stream)
            if end > total:
                raise ValueError(f"{_decoded(member.name)}: the archive is cut short")
            if expand is None:
                raise ValueError(f"{_decoded(member.name)}: sparse files are not supported here")
            yield File(content=expand(found), **_attributes(member))
        else:
            yield _entry(member, blob)
        stream.seek(end + -end % BLOCK)
    raise ValueError("too many members")


def _entry(member: Member, blob: Digest) -> AnyEntry:
    attributes = _attributes(member)
    match member.kind:
        case b"0":
            return File(content=Slice(blob, member.offset, member.size), **attributes)
        case b"5":
            return Directory(**attributes)
        case b"2":
            return Symlink(target=_target(member), **attributes)
        case b"1":
            return HardLink(target=clean(_target(member)), **attributes)
        case b"3" | b"4":
            major, minor = device(member)
            return Device(block=member.kind == b"4", major=major, minor=minor, **attributes)
        case b"6":
            return Fifo(**attributes)
        case unknown:
            raise ValueError(f"{attributes['path']}: member of unknown type {unknown!r}")


def _attributes(member: Member) -> dict[str, Any]:
    return {
        "path": clean(_decoded(member.name)), "mode": member.mode, "uid": member.uid, "gid": member.gid,
        "mtime": member.mtime, "xattrs": _xattrs(member.pax) if member.pax else (),
    }  # fmt: skip


def _target(member: Member) -> str:
    target = _decoded(member.link)
    if not target or "\0" in target or len(member.link) > MAX_PATH:
        raise ValueError(f"{_decoded(member.name)}: a link to {target[:80]!r}")
    return target


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _xattrs(records: Mapping[bytes, bytes]) -> tuple[tuple[str, bytes], ...]:
    found = {k[len(_XATTR) :]: v for k, v in records.items() if k.startswith(_XATTR)}
    for name, value in found.items():
        if not 0 < len(name) <= MAX_XATTR_NAME or len(value) > MAX_XATTR:
            raise ValueError(f"extended attribute {name[:80]!r} of {len(value)} bytes")
    return tuple(sorted((_decoded(name), value) for name, value in found.items()))


def encode(entries: Iterable[AnyEntry], read: Reader, records: Records | None = None) -> Iterator[bytes | memoryview]:
    """The archive of *entries* in chunks, with the two zero blocks that end it.

    *records* gives further pax records for an entry. Every hard link must follow its target.

    Raises:
        ValueError: there is a socket, for which the format has no place.

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
    kind = kind or letters.get(type(entry), b"")
    if not kind:
        raise ValueError(f"{entry.path}: a tar has no sockets")
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
