"""The packages of an archive, in an SQLite database: looking one up costs neither memory nor start-up time.

Subset: the fields that choosing and fetching need, each on one line, as Debian's archive software writes them. The
index is decompressed and cut into stanzas on the way into the database, so that neither is ever held whole.
Specification: Debian wiki, DebianRepository/Format, section "Packages" indices; deb822(5).
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from finback.codec.decompress import decompress
from finback.ground.diagnostic import error

SCHEMA = """
CREATE TABLE package (id INTEGER PRIMARY KEY, name TEXT, version TEXT, architecture TEXT, archive TEXT, filename TEXT,
  size INTEGER, sha256 TEXT, depends TEXT, conflicts TEXT, provides TEXT, essential INTEGER, priority INTEGER,
  installed INTEGER);
CREATE TABLE provides (name TEXT, package INTEGER);
"""
INDEXES = "CREATE INDEX by_name ON package (name); CREATE INDEX by_provided ON provides (name);"
PRIORITIES = {"required": 0, "important": 1, "standard": 2, "optional": 3, "extra": 4}
# The largest suite has 57 MB; a bomb would have more.
TEXT_LIMIT = 512 << 20
STANZA_LIMIT = 4 << 20
_WANTED = frozenset((
    b"Package", b"Version", b"Architecture", b"Filename", b"Size", b"SHA256", b"Depends", b"Pre-Depends", b"Conflicts",
    b"Breaks", b"Provides", b"Essential", b"Priority", b"Installed-Size",
))  # fmt: skip
_SIZE = re.compile(r"[0-9]{1,15}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package of the archive."""

    id: int
    name: str
    version: str
    architecture: str
    archive: str
    filename: str
    size: int
    sha256: str
    depends: str
    """Pre-Depends and Depends, as relations."""
    conflicts: str
    """Conflicts and Breaks, as relations: for what may be installed together they mean the same."""
    provides: str
    essential: bool
    priority: int
    installed: int = 0
    """Estimate of the bytes of its files, in KiB. Source: Debian Policy 5.6.20."""


def fill(connection: sqlite3.Connection, indexes: Iterable[tuple[str, BinaryIO]]) -> int:
    """Make the tables from ``Packages.xz`` streams, each with the archive that it belongs to; the number of packages.

    Raises:
        FinbackError: F131, a stream is no such file.

    """
    connection.executescript(SCHEMA)
    total = 0
    for archive, stream in indexes:
        try:
            total += _fill(connection, archive, stream, total)
        except (ValueError, KeyError, OverflowError) as failure:
            reason = f"a package without {failure}" if isinstance(failure, KeyError) else str(failure)
            raise error(
                "F131", f"a package index of archive {archive} is malformed: {reason}", help="use another mirror"
            ) from None
    connection.executescript(INDEXES)
    connection.commit()
    return total


def _fill(connection: sqlite3.Connection, archive: str, stream: BinaryIO, first: int) -> int:
    count = 0
    rows: list[tuple[object, ...]] = []
    provided: list[tuple[str, int]] = []
    for fields in _stanzas(stream):
        count += 1
        number = first + count
        rows.append(_row(number, archive, fields))
        if b"Provides" in fields:
            names = {p.strip().split(b" ")[0].split(b":")[0].decode() for p in fields[b"Provides"].split(b",")}
            provided += [(n, number) for n in sorted(names)]
        if len(rows) >= 2000:
            _insert(connection, rows, provided)
    _insert(connection, rows, provided)
    return count


def _insert(connection: sqlite3.Connection, rows: list[tuple[object, ...]], provided: list[tuple[str, int]]) -> None:
    connection.executemany(f"INSERT INTO package VALUES ({','.join('?' * 14)})", rows)
    connection.executemany("INSERT INTO provides VALUES (?,?)", provided)
    rows.clear()
    provided.clear()


def _row(number: int, archive: str, fields: dict[bytes, bytes]) -> tuple[object, ...]:
    def text(name: bytes) -> str:
        return fields.get(name, b"").decode()

    def needed(name: bytes) -> str:
        if name not in fields:
            raise KeyError(name.decode())
        return fields[name].decode()

    def joined(*names: bytes) -> str:
        return ", ".join(text(n) for n in names if n in fields)

    size, digest = needed(b"Size"), needed(b"SHA256")
    if not _SIZE.fullmatch(size) or not _SHA256.fullmatch(digest):
        raise ValueError(f"{needed(b'Package')} has size {size!r} and hash {digest!r}")
    return (
        number, needed(b"Package"), needed(b"Version"), needed(b"Architecture"), archive, needed(b"Filename"),
        int(size), digest, joined(b"Pre-Depends", b"Depends"), joined(b"Conflicts", b"Breaks"), text(b"Provides"),
        int(fields.get(b"Essential") == b"yes"), PRIORITIES.get(text(b"Priority"), 3),
        int(installed) if _SIZE.fullmatch(installed := text(b"Installed-Size")) else 0,
    )  # fmt: skip


def _stanzas(stream: BinaryIO) -> Iterator[dict[bytes, bytes]]:
    """The wanted fields of each stanza; the text is decompressed and cut on the way."""
    rest = b""
    try:
        for chunk in decompress(stream.read, ".xz", TEXT_LIMIT):
            *blocks, rest = (rest + chunk).split(b"\n\n")
            if len(rest) > STANZA_LIMIT:
                raise ValueError("has a stanza that is larger than any stanza may be")
            for block in blocks:
                if block.strip():
                    yield _fields(block)
    except ValueError as failure:
        raise ValueError(f"it {failure}") from None
    if rest.strip():
        yield _fields(rest)


def _fields(block: bytes) -> dict[bytes, bytes]:
    out = {}
    for line in block.split(b"\n"):
        name, colon, value = line.partition(b": ")
        if colon and name in _WANTED:
            out[name] = value
    return out


class Index:
    """Looks packages up in a filled database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._named: dict[str, tuple[Package, ...]] = {}
        self._provided: dict[str, tuple[Package, ...]] = {}

    def named(self, name: str) -> tuple[Package, ...]:
        """All versions of the package *name*."""
        if name not in self._named:
            rows = self._connection.execute("SELECT * FROM package WHERE name=? ORDER BY id", (name,))
            self._named[name] = tuple(_package(r) for r in rows)
        return self._named[name]

    def providing(self, name: str) -> tuple[Package, ...]:
        """All packages that provide *name*."""
        if name not in self._provided:
            rows = self._connection.execute(
                "SELECT package.* FROM provides JOIN package ON provides.package=package.id WHERE provides.name=? "
                "ORDER BY package.id",
                (name,),
            )
            self._provided[name] = tuple(_package(r) for r in rows)
        return self._provided[name]


def _package(row: tuple[Any, ...]) -> Package:
    number, name, version, architecture, archive, filename, size, sha256, *rest = row
    depends, conflicts, provides, essential, priority, installed = rest
    return Package(
        id=number,
        name=name,
        version=version,
        architecture=architecture,
        archive=archive,
        filename=filename,
        size=size,
        sha256=sha256,
        depends=depends,
        conflicts=conflicts,
        provides=provides,
        essential=bool(essential),
        priority=priority,
        installed=installed,
    )
