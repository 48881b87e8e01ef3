"""Debian's archive for one architecture: fetched, verified, indexed, asked.

InRelease is checked against the keyring and its own dates, the package indexes against InRelease, the packages against
the indexes: apt's chain of trust (apt-secure(8)). An index is kept under the hashes of what it was made from, so that
it is fetched and read once per change.

Subset: component `main`, indexes compressed by xz. Specification: Debian wiki, DebianRepository/Format.
"""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from finback.debian import index as indexing
from finback.debian import release as releases
from finback.debian.index import Index, Package
from finback.debian.release import Release
from finback.debian.solve import solve
from finback.ground import canonical
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.host import file
from finback.host.database import open_made, remove
from finback.host.http import Fetcher
from finback.host.memory import return_large_buffers
from finback.host.store import Store
from finback.resolve.plan import PackagePin
from finback.trust import openpgp, rollback

RELEASE_LIMIT = 4 << 20
INDEX_LIMIT = 256 << 20
PARALLEL = 8
# Part of a database's name: a database of another form is another file.
FORM = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    """Which archive, and how far to trust it."""

    mirror: str
    """URL of Debian's main archive."""
    security: str | None = None
    """URL of its security archive, if it is to be used."""
    suites: tuple[str, ...]
    """Suites of the main archive, the leading one first. The security archive's suite is the first with `-security`."""
    keyring: bytes
    now: int
    """Seconds since 1970, against which validity is checked."""
    accept_expired: bool = False
    """Take an archive whose statements are no longer good: one that keeps the past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A package index that InRelease names."""

    archive: str
    folder: str
    """URL of the suite's folder."""
    path: str
    digest: Digest
    size: int
    by_hash: bool


class Archive:
    """Debian's archive for one architecture, in Debian's word. Nothing is fetched before it is needed."""

    def __init__(self, settings: ArchiveSettings, store: Store, fetcher: Fetcher, architecture: str) -> None:
        self._settings = settings
        self._store = store
        self._fetcher = fetcher
        self._architecture = architecture
        self._index: Index | None = None
        self._parts: tuple[_Part, ...] = ()

    def solve(self, requirements: Iterable[str], without: Iterable[str]) -> tuple[PackagePin, ...]:
        """The packages that *requirements* name, with all that they need, sorted by name.

        Raises:
            FinbackError: F132, F133 no solution; F131 a malformed index; F310 to F314 an archive that is not to be
                trusted; F401 a damaged database, which has been removed; network and store errors.

        """
        found = self._solve(requirements, without)
        return tuple(
            PackagePin(
                name=p.name,
                version=p.version,
                architecture=p.architecture,
                filename=p.filename,
                size=p.size,
                digest=Digest("sha256", p.sha256),
                archive=p.archive,
            )
            for p in found
        )

    def installed(self, requirements: Iterable[str]) -> tuple[int, int]:
        """What apt would install for *requirements*, without Recommends and Essential: packages, and bytes of files.

        Raises:
            FinbackError: as `solve`.

        """
        found = self._solve(requirements, ())
        return len(found), sum(p.installed for p in found) << 10

    def _solve(self, requirements: Iterable[str], without: Iterable[str]) -> tuple[Package, ...]:
        try:
            if self._index is None:
                self._index = self._open()
            found = solve(self._index, requirements, without, self._architecture)
        except sqlite3.DatabaseError:
            self._index = None
            remove(self._database())
            raise error(
                "F401", "the stored package index was damaged and has been removed", help="run the command again"
            ) from None
        return found

    def fetch(self, pins: Iterable[PackagePin]) -> None:
        """Have the packages in the store.

        Raises:
            FinbackError: F610, a package has left the archive; network, digest and store errors.

        """
        from concurrent.futures import ThreadPoolExecutor

        missing = [p for p in pins if not self._store.has(p.digest)]
        with ThreadPoolExecutor(PARALLEL) as pool:
            jobs = [pool.submit(self._fetch, p) for p in missing]
            try:
                for job in jobs:
                    job.result()
            except BaseException:
                for job in jobs:
                    job.cancel()
                raise

    def _fetch(self, pin: PackagePin) -> None:
        base = self._settings.mirror
        if pin.archive != "debian":
            if self._settings.security is None:
                raise error(
                    "F611",
                    f"{pin.name} {pin.version} comes from Debian's security archive, and no mirror of it is known",
                    help="set FINBACK_SECURITY_MIRROR to its URL",
                )
            base = self._settings.security
        try:
            self._fetcher.download(f"{base}/{pin.filename}", self._store, pin.digest, pin.size)
        except FinbackError as failure:
            if _is_missing(failure):
                raise error(
                    "F610",
                    f"package {pin.name} {pin.version} has left the archive",
                    help="run `finback lock --update` to take its successor; "
                    "a mirror that keeps old versions can be named with FINBACK_MIRROR",
                ) from None
            raise

    def _open(self) -> Index:
        self._parts = self._known_parts()
        path, key = self._database(), self._key()
        # The file's hexadecimal sha256 is remembered: SQLite would not see that a package's digest was damaged.
        if path.exists() and self._store.recall(key, str) != file.sha256(path):
            remove(path)
        fresh = not path.exists()
        connection = open_made(path, self._fill)
        if fresh:
            self._store.remember(key, file.sha256(path))
        return Index(connection)

    def _key(self) -> Digest:
        return canonical.digest([FORM, [(p.archive, str(p.digest)) for p in self._parts]])

    def _database(self) -> Path:
        return self._store.root / "debian" / f"{self._key().short}.sqlite"

    def _fill(self, connection: sqlite3.Connection) -> None:
        return_large_buffers()
        indexing.fill(connection, ((p.archive, io.BytesIO(self._index_text(p))) for p in self._parts))

    def _index_text(self, part: _Part) -> bytes:
        """The compressed index. A mirror need not keep the files by hash that the archive announces."""
        plain = f"{part.folder}/{part.path}"
        addresses = [plain]
        if part.by_hash:
            addresses.insert(0, f"{plain.rsplit('/', 1)[0]}/by-hash/SHA256/{part.digest.encoded}")
        for last, address in enumerate(addresses, 1 - len(addresses)):
            try:
                return self._fetcher.get(address, limit=min(part.size, INDEX_LIMIT), expect=part.digest)
            except FinbackError as failure:
                if last == 0 or not _is_missing(failure):
                    raise
        raise AssertionError("the last address either answers or raises")

    def _known_parts(self) -> tuple[_Part, ...]:
        """The package indexes of all suites, the leading suite's first. The suites are asked at the same time."""
        from concurrent.futures import ThreadPoolExecutor

        settings = self._settings
        sources = [("debian", settings.mirror, suite) for suite in settings.suites]
        if settings.security:
            sources.append(("debian-security", settings.security, f"{settings.suites[0]}-security"))
        with ThreadPoolExecutor(len(sources)) as pool:
            texts = list(pool.map(lambda s: self._in_release(s[1], s[2]), sources))
        parts = (self._part(source, text) for source, text in zip(sources, texts, strict=True))
        return tuple(p for p in parts if p is not None)

    def _in_release(self, base: str, suite: str) -> bytes:
        return self._fetcher.get(f"{base}/dists/{suite}/InRelease", limit=RELEASE_LIMIT)

    def _part(self, source: tuple[str, str, str], signed: bytes) -> _Part | None:
        archive, base, suite = source
        release = self._release(suite, signed)
        path = f"main/binary-{self._architecture}/Packages.xz"
        if path not in release.files:
            if suite == self._settings.suites[0]:
                raise error(
                    "F135",
                    f"suite {suite} has no packages for {self._architecture}",
                    help="name another suite for it: `suites:` in config.yml",
                )
            return None
        digest, size = release.files[path]
        folder = f"{base}/dists/{suite}"
        return _Part(archive=archive, folder=folder, path=path, digest=digest, size=size, by_hash=release.by_hash)

    def _release(self, suite: str, signed: bytes) -> Release:
        name = f"InRelease of {suite}"
        settings = self._settings
        text = openpgp.verify(signed, settings.keyring, name, now=None if settings.accept_expired else settings.now)
        release = releases.decode(text, name)
        releases.check(release, suite, settings.now, name, expired=settings.accept_expired)
        if not settings.accept_expired:
            rollback.check(self._store, f"{release.origin} {release.codename or suite}", release.date, name)
        return release


def _is_missing(failure: FinbackError) -> bool:
    """Whether a server answered that it has no such file."""
    return any(d.code == "F202" and " 404" in d.message for d in failure.diagnostics)
