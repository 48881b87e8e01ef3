"""ar archives, as far as Debian packages use them: short names, no symbol tables.

Source: deb(5), ar(5).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAGIC = b"!<arch>\n"
HEADER = 60


@dataclass(frozen=True, slots=True)
class Member:
    """A member: its name and where its bytes are."""

    name: str
    offset: int
    size: int


def members(stream: BinaryIO) -> Iterator[Member]:
    """The members of the archive in a seekable *stream*, in their order. Their bytes are not read.

    Raises:
        ValueError: it is not an archive, or is cut short.

    """
    stream.seek(0, io.SEEK_END)
    end = stream.tell()
    stream.seek(0)
    if stream.read(len(MAGIC)) != MAGIC:
        raise ValueError("not an ar archive")
    offset = len(MAGIC)
    while offset < end:
        stream.seek(offset)
        header = stream.read(HEADER)
        if len(header) < HEADER or header[58:] != b"`\n":
            raise ValueError(f"no member header at byte {offset}")
        size_text = header[48:58].strip()
        if not size_text.isdigit():
            raise ValueError(f"bad member size at byte {offset}")
        size = int(size_text)
        if offset + HEADER + size > end:
            raise ValueError("cut short")
        name = header[:16].decode("ascii", "replace").rstrip().rstrip("/")
        yield Member(name, offset + HEADER, size)
        offset += HEADER + size + (size & 1)


def encode(entries: list[tuple[str, bytes]]) -> bytes:
    """An archive of *entries*, each a name of at most 15 characters and its bytes; times and owners are 0.

    Raises:
        ValueError: a name is empty or longer, or holds a slash or what is not ASCII.

    """
    return MAGIC + b"".join(header(name, len(data)) + data + padding(len(data)) for name, data in entries)


def header(name: str, size: int, mtime: int = 0) -> bytes:
    """What comes before a member of *size* bytes.

    Raises:
        ValueError: as `encode`; or *size* or *mtime* is too large.

    """
    if not 0 < len(name) < 16 or not name.isascii() or "/" in name:
        raise ValueError(f"{name!r} can't be a member's name")
    out = f"{name + '/':<16}{mtime:<12}{0:<6}{0:<6}{'100644':<8}{size:<10}`\n".encode("ascii")
    if len(out) != HEADER:
        raise ValueError(f"{name} is too large for an ar archive")
    return out


def padding(size: int) -> bytes:
    """What comes behind a member of *size* bytes: the next one begins at an even place."""
    return b"\n" if size & 1 else b""
