"""The headers of a tar archive, read as what strangers wrote: every field is checked before it is used.

Read are the formats of POSIX.1-1988 (ustar) and -2001 (pax), of GNU tar (long names, base-256 numbers), of star, and of
Unix V7. Global pax headers are passed over, as container runtimes do: what they say would otherwise mean one thing here
and another there.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple

BLOCK = 512
MAX_EXTENSION = 1 << 20
"""Bytes of a pax header or a long name. The kernel takes 64 KiB of one extended attribute."""
MAX_EXTENSIONS = 16
"""Extension headers of one member; archivers write at most three."""
MAX_NUMBER = (1 << 63) - 1
MAX_ID = (1 << 32) - 1
ZERO = bytes(BLOCK)
_DECIMAL = re.compile(rb"\d{1,19}\Z")
_TIME = re.compile(rb"(-?\d{1,19})(?:\.\d*)?\Z")


class Member(NamedTuple):
    """A member's header, and where its data is."""

    name: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int
    """Bytes of data in the archive."""
    mtime: int
    link: bytes
    block: bytes
    """The header itself."""
    pax: Mapping[bytes, bytes]
    sparse: tuple[tuple[bytes, bytes], ...]
    """The pax records that describe a sparse file of format 0.0, in which keys are repeated."""
    offset: int


class _Extensions:
    """What headers before a member say about it."""

    __slots__ = ("count", "link", "name", "pax", "sparse")

    def __init__(self) -> None:
        self.name: bytes | None = None
        self.link: bytes | None = None
        self.pax: dict[bytes, bytes] = {}
        self.sparse: list[tuple[bytes, bytes]] = []
        self.count = 0


def next_member(stream: BinaryIO, total: int) -> Member | None:
    """The member whose header is next in *stream*, which has *total* bytes; None at the end of the archive.

    Raises:
        ValueError: there is no header where one should be, or it holds what no header may.

    """
    extensions = _Extensions()
    while True:
        header = stream.read(BLOCK)
        if not header or header == ZERO:
            _ending(stream, header, extensions)
            return None
        if len(header) != BLOCK:
            raise ValueError("the archive is cut short")
        _check_sum(header)
        kind = header[156:157]
        if kind not in b"xgXLK" or not kind.strip(b"\0"):
            return _member(header, kind, extensions, stream.tell(), total)
        extensions.count += 1
        if extensions.count > MAX_EXTENSIONS:
            raise ValueError("too many extension headers before a member")
        _extend(extensions, kind, _body(stream, header))


def _ending(stream: BinaryIO, header: bytes, extensions: _Extensions) -> None:
    """Check that the archive may end here: a clean end of file, or two blocks of zeros, of which one may be missing."""
    if extensions.count:
        raise ValueError("the archive ends after the extension header of a member")
    if header:
        second = stream.read(BLOCK)
        if second not in (b"", ZERO):
            raise ValueError("a block of zeros amid the archive")


def _check_sum(header: bytes) -> None:
    said = number(header[148:156])
    found = sum(header) - sum(header[148:156]) + 8 * 32
    if said != found:
        # Some old archivers took bytes for signed.
        found -= 256 * sum(b > 127 for b in header[:148] + header[156:])
    if said != found:
        raise ValueError("the checksum of a header is wrong")


def _body(stream: BinaryIO, header: bytes) -> bytes:
    size = number(header[124:136])
    if size > MAX_EXTENSION:
        raise ValueError(f"an extension header of {size} bytes")
    data = stream.read(size + -size % BLOCK)
    if len(data) != size + -size % BLOCK:
        raise ValueError("the archive is cut short")
    return data[:size]


def _extend(extensions: _Extensions, kind: bytes, body: bytes) -> None:
    if kind == b"L":
        extensions.name = body.split(b"\0", 1)[0]
    elif kind == b"K":
        extensions.link = body.split(b"\0", 1)[0]
    elif kind != b"g":
        _read_pax(extensions, body)


def _read_pax(extensions: _Extensions, body: bytes) -> None:
    """Read records: ``LENGTH KEY=VALUE`` and a line feed, in which LENGTH counts the whole record."""
    at = 0
    while at < len(body):
        space = body.find(b" ", at, at + 20)
        length = body[at:space] if space > 0 else b""
        end = at + int(length) if _DECIMAL.match(length) else 0
        if not space < end - 1 < len(body) or body[end - 1] != 0x0A:
            raise ValueError("a pax header is faulty")
        key, equals, value = body[space + 1 : end - 1].partition(b"=")
        if not equals or not key or b"\0" in key:
            raise ValueError("a record of a pax header is faulty")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            extensions.sparse.append((key, value))
        elif value:
            extensions.pax[key] = value
        else:
            # An empty value takes back what was said before.
            extensions.pax.pop(key, None)
        at = end


def _member(header: bytes, kind: bytes, extensions: _Extensions, offset: int, total: int) -> Member:
    pax = extensions.pax
    name = pax.get(b"GNU.sparse.name") or pax.get(b"path") or extensions.name or _name(header)
    if kind in b"\0" and name.endswith(b"/"):
        # Unix V7 had no other sign of a directory.
        kind = b"5"
    size = _counted(pax, b"size") if b"size" in pax else number(header[124:136])
    if kind in b"123456":
        # These have no data, whatever the field says.
        size = 0
    if offset + size > total:
        raise ValueError(f"{name!r}: the archive is cut short")
    return Member(
        name=name,
        kind=b"0" if kind in b"\x007" else kind,
        mode=number(header[100:108]) & 0o7777,
        uid=_identity(pax, b"uid", header[108:116]),
        gid=_identity(pax, b"gid", header[116:124]),
        size=size,
        mtime=_time(pax, header[136:148]),
        link=pax.get(b"linkpath") or extensions.link or _text(header[157:257]),
        block=header,
        pax=pax,
        sparse=tuple(extensions.sparse),
        offset=offset,
    )


def _name(header: bytes) -> bytes:
    name = _text(header[0:100])
    if header[257:263] != b"ustar\0":
        # GNU and V7 keep other things there.
        return name
    prefix = _text(header[345:476] if header[508:512] == b"tar\0" else header[345:500])
    return prefix + b"/" + name if prefix else name


def _text(data: bytes) -> bytes:
    return data.split(b"\0", 1)[0]


def number(data: bytes) -> int:
    """A number in a header: octal digits, or base 256 when the first bit is set.

    Raises:
        ValueError: it is neither, is negative, or larger than any file.

    """
    if data[0] & 0x80:
        # 0xff begins a negative number.
        value = int.from_bytes(data, "big") - (0x80 << 8 * (len(data) - 1))
        if data[0] & 0x40 or value > MAX_NUMBER:
            raise ValueError("a number in a header is negative or too large")
        return value
    digits = data.replace(b"\0", b" ").strip()
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise ValueError(f"{data!r} in a header is no number")
    return int(digits, 8)


def device(member: Member) -> tuple[int, int]:
    """Major and minor number of a device."""
    major, minor = number(member.block[329:337]), number(member.block[337:345])
    if major > 0xFFF or minor > 0xFFFFF:
        raise ValueError(f"{major}:{minor} is no device on Linux")
    return major, minor


def _counted(pax: Mapping[bytes, bytes], key: bytes) -> int:
    value = pax[key]
    if not _DECIMAL.match(value) or int(value) > MAX_NUMBER:
        raise ValueError(f"{key.decode()} {value[:40]!r} in a pax header")
    return int(value)


def _identity(pax: Mapping[bytes, bytes], key: bytes, data: bytes) -> int:
    value = _counted(pax, key) if key in pax else number(data)
    if value > MAX_ID:
        raise ValueError(f"{key.decode()} {value} is no id on Linux")
    return value


def _time(pax: Mapping[bytes, bytes], data: bytes) -> int:
    """The time in whole seconds; before 1970 it is 1970, which is all that most archives can say."""
    if b"mtime" in pax:
        found = _TIME.match(pax[b"mtime"])
        if found is None:
            raise ValueError(f"mtime {pax[b'mtime'][:40]!r} in a pax header")
        return min(max(0, int(found[1])), MAX_NUMBER)
    if data[0] & 0xC0 == 0xC0:
        return 0
    return number(data)
