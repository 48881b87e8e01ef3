"""Rock Ridge: what POSIX says of a file, in the system use area of its directory records.

Sources: SUSP 1.12 (IEEE P1281), section 5; RRIP 1.12 (IEEE P1282), section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

from finback.codec.iso9660.field import SECTOR, both32, short_date
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, Symlink

IDENTIFIER = b"IEEE_P1282"
DESCRIPTOR = b"THE IEEE P1282 PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
SOURCE = b"PLEASE CONTACT THE IEEE STANDARDS DEPARTMENT, PISCATAWAY, NJ, USA FOR THE P1282 SPECIFICATION"
# A record's length is one byte, and even.
RECORD = 254
CONTINUATION = 28
# An entry's length is one byte too; 250 and 248 are left of it beside the heads of NM and of SL with one component.
NAME_ROOM = 250
COMPONENT_ROOM = 248
CONTINUES = 1
CURRENT, PARENT, ROOT = 2, 4, 8


def _entry(kind: bytes, body: bytes) -> bytes:
    return kind + bytes((len(body) + 4, 1)) + body


def starting() -> list[bytes]:
    """What the root's own record begins with: that the protocol is in use, and which extension."""
    extension = bytes((len(IDENTIFIER), len(DESCRIPTOR), len(SOURCE), 1)) + IDENTIFIER + DESCRIPTOR + SOURCE
    return [_entry(b"SP", b"\xbe\xef\0"), _entry(b"ER", extension)]


def attributes(entry: AnyEntry, links: int, serial: int) -> list[bytes]:
    """Mode, owner, number of links, serial number, times, and the numbers of a device.

    Raises:
        ValueError: a time does not fit.

    """
    mode = _kind(entry) | entry.mode
    numbers = (mode, links, entry.uid, entry.gid, serial)
    date = short_date(entry.mtime)
    out = [_entry(b"PX", b"".join(both32(n) for n in numbers)), _entry(b"TF", b"\x0e" + date * 3)]
    if isinstance(entry, Device):
        # Linux reads the two halves as major and minor.
        out.append(_entry(b"PN", both32(entry.major) + both32(entry.minor)))
    return out


def _kind(entry: AnyEntry) -> int:
    if isinstance(entry, Directory):
        return 0o040000
    if isinstance(entry, Symlink):
        return 0o120000
    if isinstance(entry, Device):
        return 0o060000 if entry.block else 0o020000
    if isinstance(entry, Fifo):
        return 0o010000
    return 0o100000


def name(text: str) -> list[bytes]:
    """The name as it is, in as many entries as it needs."""
    data = text.encode("utf-8", "surrogateescape")
    parts = [data[i : i + NAME_ROOM] for i in range(0, len(data), NAME_ROOM)]
    return [_entry(b"NM", bytes((CONTINUES if i + 1 < len(parts) else 0,)) + p) for i, p in enumerate(parts)]


def target(text: str) -> list[bytes]:
    """Where a symbolic link leads, in as many entries as it needs."""
    components = _components(text.encode("utf-8", "surrogateescape"))
    groups: list[bytes] = [b""]
    for component in components:
        if len(groups[-1]) + len(component) > COMPONENT_ROOM + 2:
            groups.append(b"")
        groups[-1] += component
    return [_entry(b"SL", bytes((CONTINUES if i + 1 < len(groups) else 0,)) + g) for i, g in enumerate(groups)]


def _components(path: bytes) -> list[bytes]:
    out: list[bytes] = []
    if path.startswith(b"/"):
        out.append(bytes((ROOT, 0)))
        path = path[1:]
        if not path:
            return out
    for step in path.split(b"/"):
        if step in (b".", b".."):
            out.append(bytes((CURRENT if step == b"." else PARENT, 0)))
            continue
        parts = [step[i : i + COMPONENT_ROOM] for i in range(0, len(step), COMPONENT_ROOM)] or [b""]
        out += [bytes((CONTINUES if i + 1 < len(parts) else 0, len(p))) + p for i, p in enumerate(parts)]
    return out


@dataclass(frozen=True, slots=True)
class Area:
    """The system use area of one record: what is in the record, and what follows elsewhere."""

    inside: bytes
    outside: tuple[bytes, ...] = ()
    """Continuation areas, none larger than a sector, with room at the end of all but the last for where the next is."""


def area(entries: list[bytes], room: int) -> Area:
    """*entries* spread over a record that has *room* bytes for them, and continuation areas."""
    if sum(map(len, entries)) <= room:
        return Area(b"".join(entries))
    inside, rest = _fill(entries, room - CONTINUATION)
    outside: list[bytes] = []
    while rest:
        whole = sum(map(len, rest)) <= SECTOR
        part, rest = _fill(rest, SECTOR if whole else SECTOR - CONTINUATION)
        outside.append(part)
    return Area(inside, tuple(outside))


def _fill(entries: list[bytes], room: int) -> tuple[bytes, list[bytes]]:
    count = used = 0
    while count < len(entries) and used + len(entries[count]) <= room:
        used += len(entries[count])
        count += 1
    return b"".join(entries[:count]), entries[count:]


def continuation(block: int, offset: int, size: int) -> bytes:
    """The entry that says where the next continuation area is."""
    return _entry(b"CE", both32(block) + both32(offset) + both32(size))
