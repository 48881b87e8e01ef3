"""Portable executables: sections added to one that is there, as UEFI's loader and systemd's stub want it.

Subset: PE32+ images; sections are appended to the file and to the address space, or take the place of one with the same
name. Signatures, debug data and symbols that follow the sections are refused.

Source: Microsoft, PE Format, sections "Optional Header" and "Section Table".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from finback.codec import disk
from finback.codec.disk import Disk
from finback.tree.content import Hole, Inline, Stretch

_PE32_PLUS = 0x20B
_HEADER = "<8sIIIIIIHHI"
_HEADER_SIZE = 40
# Initialized data that can be read.
_DATA = 0x40000040
_TOP = (1 << 32) - 1
# Bytes of a section that are zero and not in the file.
MAX_ZEROS = 16 << 20
_SECURITY_DIRECTORY = 4


@dataclass(frozen=True, slots=True)
class Section:
    """A section to add."""

    name: str
    body: Disk


@dataclass(frozen=True, slots=True)
class _Image:
    """What of an image's headers decides where sections go."""

    optional: int
    """Offset of the optional header."""
    table: int
    """Offset of the section table."""
    sections: tuple[tuple[bytes, int, int, int, int, int], ...]
    """Name, size in memory, address, size in the file, offset, characteristics."""
    section_alignment: int
    file_alignment: int
    headers: int
    """Room for all headers."""


def names(image: bytes) -> tuple[str, ...]:
    """The names of the sections.

    Raises:
        ValueError: *image* is no PE32+ image.

    """
    return tuple(s[0].rstrip(b"\0").decode("ascii", "replace") for s in _parse(image).sections)


def section(image: bytes, name: str) -> bytes | None:
    """The content of the section called *name*, or None.

    Raises:
        ValueError: *image* is no PE32+ image, or is cut short.

    """
    for found, length, _, in_file, offset, _ in _parse(image).sections:
        if found.rstrip(b"\0") == name.encode():
            if offset + min(length, in_file) > len(image):
                raise ValueError(f"section {name} is cut short")
            if length > in_file + MAX_ZEROS:
                raise ValueError(f"section {name} has {length} bytes in memory, of which {in_file} are in the file")
            return image[offset : offset + min(length, in_file)].ljust(length, b"\0")
    return None


def add(image: bytes, sections: Sequence[Section]) -> Disk:
    """*image* with *sections*; one that it has already gives way.

    Raises:
        ValueError: *image* is no PE32+ image, its headers have no room, or the result is larger than 4 GiB.

    """
    parsed = _parse(image)
    if struct.unpack_from("<II", image, parsed.optional + 112 + 8 * _SECURITY_DIRECTORY) != (0, 0):
        raise ValueError("the image is signed")
    new = {s.name.encode() for s in sections}
    kept = [s for s in parsed.sections if s[0].rstrip(b"\0") not in new]
    if parsed.table + _HEADER_SIZE * (len(kept) + len(sections)) > parsed.headers:
        raise ValueError("the headers have no room for more sections")
    table = [struct.pack(_HEADER, n, v, a, f, o, 0, 0, 0, 0, c) for n, v, a, f, o, c in kept]
    address = disk.aligned(max(s[2] + s[1] for s in parsed.sections), parsed.section_alignment)
    offset = disk.aligned(len(image), parsed.file_alignment)
    body: list[Stretch] = [Hole(offset - len(image))]
    data = 0
    for added in sections:
        length = disk.size(added.body)
        in_file = disk.aligned(length, parsed.file_alignment)
        if len(added.name) > 8 or max(address + length, offset + in_file) > _TOP:
            raise ValueError(f"section {added.name} does not fit")
        table.append(struct.pack(_HEADER, added.name.encode(), length, address, in_file, offset, 0, 0, 0, 0, _DATA))
        body += [*added.body, Hole(in_file - length)]
        address = disk.aligned(address + length, parsed.section_alignment)
        offset += in_file
        data += in_file
    head = _head(image, parsed, b"".join(table), len(table), (address, data))
    return tuple(s for s in (Inline(head), *body) if s.size)


def _head(image: bytes, parsed: _Image, table: bytes, count: int, grown: tuple[int, int]) -> bytes:
    """The image's own bytes with another section table and the sizes that follow from it."""
    address, data = grown
    out = bytearray(image)
    out[parsed.table : parsed.headers] = table.ljust(parsed.headers - parsed.table, b"\0")
    struct.pack_into("<H", out, parsed.optional - 18, count)
    initialized = struct.unpack_from("<I", out, parsed.optional + 8)[0]
    struct.pack_into("<I", out, parsed.optional + 8, (initialized + data) & _TOP)
    struct.pack_into("<I", out, parsed.optional + 56, address)
    # The checksum is of drivers for Windows; 0 says that there is none.
    struct.pack_into("<I", out, parsed.optional + 64, 0)
    return bytes(out)


def _parse(image: bytes) -> _Image:
    try:
        (start,) = struct.unpack_from("<I", image, 0x3C)
        signature, count, length = struct.unpack_from("<4s2xH12xH", image, start)
        optional = start + 24
        (magic,) = struct.unpack_from("<H", image, optional)
        alignments = struct.unpack_from("<II", image, optional + 32)
        (headers,) = struct.unpack_from("<I", image, optional + 60)
        table = optional + length
        raw = [struct.unpack_from(_HEADER, image, table + _HEADER_SIZE * i) for i in range(count)]
    except struct.error:
        raise ValueError("it is no PE image: its headers are cut short") from None
    sound = all(a and not a & (a - 1) for a in alignments) and table + _HEADER_SIZE * count <= headers <= len(image)
    if image[:2] != b"MZ" or signature != b"PE\0\0" or magic != _PE32_PLUS or length < 152 or not raw or not sound:
        raise ValueError("it is no PE32+ image")
    sections = tuple((s[0], s[1], s[2], s[3], s[4], s[9]) for s in raw)
    return _Image(optional, table, sections, alignments[0], alignments[1], headers)


def sbat(lines: Iterable[str], before: bytes | None) -> bytes:
    """What says which generations of a loader are revoked: *before*, a stub's own, and *lines* after it.

    Source: shim's SBAT.md.
    """
    own = (before or b"").rstrip(b"\0\n")
    return b"\n".join([*([own] if own else []), *(x.encode() for x in lines)]) + b"\n"
