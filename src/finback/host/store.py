"""The store: one content-addressed folder in the form of an OCI image layout, so that other tools can read it.

Beside the layout's own files there are `actions/` (records: what was made from what), `debian/` (package indexes),
`locks/` and `tmp/`. A blob is written under a temporary name, hashed on the way, and renamed, so that it is complete
wherever it appears; any number of processes may use the store at once. A blob is checked the first time that a process
reads it, a record each time.

Source: OCI image specification 1.1, image-layout.md.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar, overload

from finback.codec import strict_json
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.host import clock, record
from finback.host.claim import Claims, lock
from finback.host.ingest import Ingest, WholeFile
from finback.tree.content import Content, Inline, Slice

T = TypeVar("T")
CHUNK = 1 << 20
# How exactly the last use of a file is known. Each note costs a write.
USE_SECONDS = 600
# The index is far smaller; what is larger is damaged.
INDEX_LIMIT = 64 << 20
REF_NAME = "org.opencontainers.image.ref.name"
# On a name that somebody gave to an image by hand: it answers builds before a registry does.
IMPORTED = "org.finback.imported"


class Store:
    """The store in folder *root*, made when it is not there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._verified: set[Digest] = set()
        self._distrusted = False
        self._made: set[Digest] = set()
        self._claims = Claims(root)
        with self._trouble():
            for name in ("blobs/sha256", "blobs/sha512", "actions", "debian", "locks", "tmp"):
                (root / name).mkdir(parents=True, exist_ok=True)
            if not (root / "index.json").exists():
                with self.lock("index"):
                    if not (root / "index.json").exists():
                        self._write_index(self._index())
            if not (root / "oci-layout").exists():
                self._replace(root / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be. Its bytes are not checked."""
        return self.root / "blobs" / digest.algorithm / digest.encoded

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there. Whoever asks is about to use it, so this counts as a use."""
        return self._touch(self.path(digest))

    def size(self, digest: Digest) -> int:
        """The blob's size in bytes.

        Raises:
            FinbackError: F402, it is not there.

        """
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            raise self._missing(digest) from None

    def put(self, data: bytes) -> Digest:
        """Keep *data*."""
        digest = Digest.of(data)
        if not self.has(digest):
            with self.ingest(digest) as ingest:
                ingest.write(data)
        return digest

    @contextmanager
    def ingest(self, expected: Digest | None = None, limit: int | None = None) -> Iterator[Ingest]:
        """Write a blob chunk by chunk; it is in the store when the block ends well.

        Raises:
            FinbackError: F301 the bytes are not those of *expected*; F302 more than *limit* bytes; F403 no space.

        """
        temporary, handle = self._claim(folder=False)
        with self._trouble():
            ingest = Ingest(handle, expected.algorithm if expected else "sha256", limit)
            try:
                yield ingest
                ingest.finish()
                if expected is not None and ingest.digest != expected:
                    raise error(
                        "F301",
                        f"expected {expected}, got {ingest.digest} ({ingest.size} bytes)",
                        help="what sent it is faulty or has changed; try again, or use another mirror",
                    )
                self._name(temporary, self.path(ingest.digest))
                self._verified.add(ingest.digest)
            finally:
                temporary.unlink(missing_ok=True)
                ingest.close()

    def read(self, digest: Digest, limit: int = 16 << 20) -> bytes:
        """A small blob's bytes, checked.

        Raises:
            FinbackError: F401 damaged (and removed), F402 not there, F404 or F405 not to be read, F303 larger than
                *limit*.

        """
        with self._trouble():
            try:
                with _open(self.path(digest)) as stream:
                    data = stream.read(limit + 1)
            except FileNotFoundError:
                raise self._missing(digest) from None
        if len(data) > limit:
            # Damage may have made it larger; then it is removed.
            self.verified(digest)
            raise error("F303", f"blob {digest} is larger than {limit} bytes", help="it is not what it should be")
        if hashlib.new(digest.algorithm, data).hexdigest() != digest.encoded:
            raise self._damaged(digest)
        return data

    def verified(self, digest: Digest) -> Path:
        """The blob's path, its bytes checked once per process.

        Raises:
            FinbackError: F401 damaged (and removed), F402 not there, F404 or F405 not to be read.

        """
        path = self.path(digest)
        self._touch(path)
        if digest not in self._verified:
            with self._trouble():
                try:
                    with _open(path) as stream:
                        found = hashlib.file_digest(stream, digest.algorithm).hexdigest()
                except FileNotFoundError:
                    raise self._missing(digest) from None
            if found != digest.encoded:
                raise self._damaged(digest)
            self._verified.add(digest)
        return path

    def stream(self, digest: Digest) -> Iterator[bytes]:
        """The blob's bytes from its beginning, in chunks of at most 1 MiB, checked when the last one has been given.

        Raises:
            FinbackError: as `verified`; what was given before was damaged as well.

        """
        hasher = hashlib.new(digest.algorithm)
        with self._trouble():
            try:
                stream = _open(self.path(digest))
            except FileNotFoundError:
                raise self._missing(digest) from None
        with stream:
            while chunk := self._next(stream):
                hasher.update(chunk)
                yield chunk
        if hasher.hexdigest() != digest.encoded:
            raise self._damaged(digest)
        self._verified.add(digest)

    def chunks(self, content: Content) -> Iterator[bytes]:
        """The bytes of a content in chunks of at most 1 MiB; the blob behind a slice is checked first.

        Raises:
            FinbackError: as `verified`; F406, the slice does not lie in its blob.

        """
        if isinstance(content, Inline):
            yield content.data
            return
        path = self.verified(content.blob)
        with self._trouble(), path.open("rb", buffering=0) as stream:
            left, offset = content.size, content.offset
            while left:
                chunk = os.pread(stream.fileno(), min(left, CHUNK), offset)
                if not chunk:
                    raise self.misfit(content)
                yield chunk
                left -= len(chunk)
                offset += len(chunk)

    @overload
    def recall(self, key: Digest) -> Any | None: ...

    @overload
    def recall(self, key: Digest, read: Callable[[Any], T]) -> T | None: ...

    def recall(self, key: Digest, read: Callable[[Any], Any] = lambda value: value) -> Any | None:
        """What *read* makes of the value that was remembered under *key*; None where there is no record to rely on.

        A record is not relied on when it is damaged, when it belongs to another key, when *read* raises one of the
        exceptions below or returns None, and, after `distrust_records`, when another process has written it. The
        caller then does the work again and writes a new record.

        *read* may raise AttributeError, KeyError, IndexError, TypeError, ValueError or FinbackError for a value that
        is not what it should be.

        Raises:
            FinbackError: F404 or F405, the record can't be read.

        """
        if self._distrusted and key not in self._made:
            return None
        path = self._record(key)
        self._touch(path)
        with self._trouble():
            try:
                with _open(path) as stream:
                    data = stream.read(record.LIMIT + 1)
            except FileNotFoundError:
                return None
        try:
            value = record.decode(data, key)
            return None if value is None else read(value)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, FinbackError):
            # A record that does not fit costs the work that it remembers, nothing else.
            return None

    def remember(self, key: Digest, value: Any) -> None:
        """Keep a small JSON value under *key*: the result of work that *key* describes.

        Raises:
            FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

        """
        self._made.add(key)
        with self._trouble():
            self._replace(self._record(key), record.encode(key, value))

    @property
    def distrusts_records(self) -> bool:
        """Whether `distrust_records` was called."""
        return self._distrusted

    def distrust_records(self) -> None:
        """From now on rely on no record that this process has not written itself.

        Records are protected against damage, but whoever can write to the store can also write a record that fits.
        """
        self._distrusted = True
        self._made.clear()

    def holds(self, digest: Digest, size: int) -> bool:
        """Whether the blob is there and has *size* bytes, as a record says."""
        return self.has(digest) and self.size(digest) == size

    def tag(self, name: str, descriptor: dict[str, Any]) -> None:
        """Give a manifest a name in `index.json`, taking the name from whatever had it.

        Raises:
            FinbackError: F400 the index was damaged and has been put aside; F403 no space, F404 not permitted, F405 any
                other trouble.

        """
        with self.lock("index"), self._trouble():
            index = self._sound_index()
            entry = {**descriptor, "annotations": {**descriptor.get("annotations", {}), REF_NAME: name}}
            rest = [m for m in index["manifests"] if m.get("annotations", {}).get(REF_NAME) != name]
            index["manifests"] = [*rest, entry]
            self._write_index(index)

    def tagged(self, name: str) -> dict[str, Any] | None:
        """The descriptor of the manifest called *name*, or None.

        Raises:
            FinbackError: F400, the index was damaged and has been put aside; F404 or F405, it can't be read or renamed.

        """
        found = (m for m in self._sound_index()["manifests"] if m.get("annotations", {}).get(REF_NAME) == name)
        return next(found, None)

    def named(self) -> list[dict[str, Any]]:
        """The descriptors in `index.json`.

        Raises:
            FinbackError: F406, the index is damaged.

        """
        return list(self._index()["manifests"])

    def untag(self, names: Collection[str]) -> None:
        """Take *names* from whatever has them.

        Raises:
            FinbackError: as `tag`.

        """
        with self.lock("index"), self._trouble():
            index = self._index()
            kept = [m for m in index["manifests"] if m.get("annotations", {}).get(REF_NAME) not in names]
            if kept != index["manifests"]:
                index["manifests"] = kept
                self._write_index(index)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Keep other processes out of a block of the same *name*. The system frees it when a process dies."""
        with self._trouble():
            handle = lock(self.root / "locks" / name, fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(handle)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder inside the store, removed after the block."""
        folder, handle = self._claim(folder=True)
        try:
            with self._trouble():
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)

    def misfit(self, content: Slice) -> FinbackError:
        """The error to raise when a slice does not lie in its blob, which is itself sound."""
        return error(
            "F406",
            f"the store says that blob {content.blob} has {content.offset + content.size} bytes, and it has fewer",
            help="run `finback cache verify`, and the command again",
        )

    def _record(self, key: Digest) -> Path:
        return self.root / "actions" / record.file_name(key)

    def _touch(self, path: Path) -> bool:
        """Note on a file that it is of use still, for whoever collects what is not; whether it is there."""
        with self._trouble():
            try:
                about = _about(path)
            except FileNotFoundError:
                return False
        if abs(clock.now() - about.st_mtime) > USE_SECONDS:
            # Another user's store may be read only.
            with suppress(OSError):
                os.utime(path)
        return True

    def _next(self, stream: BufferedReader) -> bytes:
        with self._trouble():
            return stream.read(CHUNK)

    def _name(self, temporary: Path, path: Path) -> None:
        """Give a complete file its name, and have the name on the disk too."""
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _index(self) -> dict[str, Any]:
        path = self.root / "index.json"
        try:
            with self._trouble():
                found = self._json(path)
                index = {"manifests": []} if found is None else found
            if not all(isinstance(m, dict) and isinstance(m.get("annotations", {}), dict) for m in index["manifests"]):
                raise ValueError("a manifest is no object")
        except (KeyError, TypeError, ValueError, RecursionError):
            raise error(
                "F406",
                f"{path} is damaged",
                help="run `finback cache verify`, it puts it aside",
            ) from None
        return {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", **index}

    def _sound_index(self) -> dict[str, Any]:
        """The index. One that can't be read is put aside, so that the next attempt begins a new one."""
        try:
            return self._index()
        except FinbackError as failure:
            if failure.diagnostics[0].code != "F406":
                raise
        path = self.root / "index.json"
        aside = path.with_name(f"index.json.damaged.{int(clock.now())}")
        with self._trouble(), suppress(FileNotFoundError):
            path.rename(aside)
        raise error(
            "F400",
            f"{path} was damaged and has been put aside as {aside.name}; names given by `cache import` are lost",
            help="run the command again; import again what you had imported",
        )

    def _write_index(self, index: dict[str, Any]) -> None:
        self._replace(self.root / "index.json", json.dumps(index, indent=2, sort_keys=True).encode(), sync=True)

    def _json(self, path: Path) -> Any | None:
        try:
            with _open(path) as stream:
                return strict_json.plain(stream.read(INDEX_LIMIT + 1), limit=INDEX_LIMIT)
        except FileNotFoundError:
            return None

    def _claim(self, *, folder: bool) -> tuple[Path, int]:
        with self._trouble():
            return self._claims.make(folder=folder)

    def _replace(self, path: Path, data: bytes, *, sync: bool = False) -> None:
        temporary, handle = self._claim(folder=False)
        try:
            with WholeFile(handle, "wb") as out:
                out.write(data)
                if sync:
                    os.fsync(handle)
                    self._name(temporary, path)
                else:
                    temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _damaged(self, digest: Digest) -> FinbackError:
        with self._trouble():
            self.path(digest).unlink(missing_ok=True)
        return error(
            "F401",
            f"blob {digest} in the store was damaged and has been removed",
            help="run the command again: it will be made or fetched anew; check the disk if this comes back",
        )

    def _missing(self, digest: Digest) -> FinbackError:
        return error("F402", f"blob {digest} is not in the store", help="run the command again to make or fetch it")

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            # Never the store's: who reads the output has gone.
            raise
        except OSError as failure:
            if failure.errno in (errno.ENOSPC, errno.EDQUOT):
                raise error(
                    "F403",
                    f"no space left in the store {self.root}",
                    help="free some space, or put the store elsewhere with --cache; nothing half-written was left",
                ) from None
            if isinstance(failure, PermissionError) or failure.errno == errno.EROFS:
                raise error(
                    "F404",
                    f"the store {self.root} can't be written: {failure.strerror}",
                    help="mend its permissions, or use another with --cache",
                ) from None
            # What was moved to a place that is taken, or opened; a write has no name.
            place = failure.filename2 or failure.filename
            where = f"the store {self.root}" if place is None else f"{place} in the store"
            advice = (
                "the file system, or `ulimit -f`, does not allow files of this size; --cache puts the store elsewhere"
                if failure.errno == errno.EFBIG
                else "check the file system; files below actions/ and blobs/ may be removed, they are made again"
            )
            raise error(
                "F405",
                f"{where}: {failure.strerror or failure}",
                help=advice,
            ) from None


def _about(path: Path) -> os.stat_result:
    """What `stat` says of the file at *path*. Anything that is no file counts as absent, and is made anew.

    Raises:
        FileNotFoundError: there is no file.

    """
    try:
        found = path.stat()
    except OSError as failure:
        if failure.errno == errno.ELOOP:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
        raise
    if not stat.S_ISREG(found.st_mode):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return found


def _open(path: Path) -> BufferedReader:
    """The file at *path*, for reading.

    Raises:
        FileNotFoundError: as `_about`; to open a pipe would be to wait for a writer.

    """
    _about(path)
    return path.open("rb")
