"""What lies in a store: its blobs and records, when each was last of use, and what may be removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finback.ground.digest import Digest
from finback.host import clock, record
from finback.host.file import failed
from finback.host.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A blob of the store."""

    digest: Digest
    size: int
    used: float
    """When it was written or last of use, in seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the store remembers of some work."""

    name: str
    """Of its file."""
    used: float
    size: int
    value: Any
    """None when the record is damaged or belongs to another file."""


def blobs(store: Store) -> Iterator[Blob]:
    """All blobs.

    Raises:
        FinbackError: F404 or F405, the store can't be read.

    """
    for algorithm in ("sha256", "sha512"):
        for name, path, size, used in _files(store.root / "blobs" / algorithm):
            try:
                digest = Digest(algorithm, name)
            except ValueError:
                # Another program's file.
                continue
            assert path == store.path(digest)
            yield Blob(digest=digest, size=size, used=used)


def records(store: Store) -> Iterator[Record]:
    """All records of work.

    Raises:
        FinbackError: F404 or F405, the store can't be read.

    """
    for name, path, size, used in _files(store.root / "actions"):
        value = None
        with suppress(OSError, ValueError):
            value = record.decode_named(path.read_bytes(), name)
        yield Record(name=name, used=used, size=size, value=value)


def discard_blob(store: Store, blob: Blob) -> bool:
    """Remove a blob, unless it has been of use since it was listed. Whether it is gone."""
    return _discard(store.path(blob.digest), blob.used)


def discard_record(store: Store, found: Record) -> bool:
    """Remove a record, unless it has been of use since it was listed. Whether it is gone."""
    return _discard(store.root / "actions" / found.name, found.used)


def folder_size(path: Path) -> int:
    """Bytes of the files below *path*."""
    return sum(size for folder, _, _ in os.walk(path) for _, _, size, _ in _files(Path(folder)))


def sound(store: Store, blob: Blob) -> bool:
    """Whether the blob's bytes are those of its digest; read anew, whatever this process knows of it.

    Raises:
        FinbackError: F404 or F405, the blob can't be read.

    """
    import hashlib

    try:
        with store.path(blob.digest).open("rb") as stream:
            return hashlib.file_digest(stream, blob.digest.algorithm).hexdigest() == blob.digest.encoded
    except FileNotFoundError:
        # Another process has removed it: nothing to find wrong.
        return True
    except OSError as failure:
        raise failed(store.path(blob.digest), failure) from None


def set_aside_index(store: Store) -> Path:
    """Rename an index that can't be read, so that a new one is begun; its new name.

    Raises:
        FinbackError: F404 or F405, it can't be renamed.

    """
    path = store.root / "index.json"
    aside = path.with_name(f"index.json.damaged.{int(clock.now())}")
    try:
        path.rename(aside)
    except OSError as failure:
        raise failed(path, failure) from None
    return aside


def _files(folder: Path) -> Iterator[tuple[str, Path, int, float]]:
    try:
        with os.scandir(folder) as found:
            for item in found:
                try:
                    status = item.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if item.is_file(follow_symlinks=False):
                    yield item.name, Path(item.path), status.st_size, status.st_mtime
    except FileNotFoundError:
        return
    except OSError as failure:
        raise failed(folder, failure) from None


def _discard(path: Path, used: float) -> bool:
    try:
        if path.stat().st_mtime > used:
            return False
        path.unlink()
    except FileNotFoundError:
        return True
    except OSError as failure:
        raise failed(path, failure) from None
    return True
