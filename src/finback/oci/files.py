"""The files of a folder, or of an archive that is left packed, under one set of words.

Names inside come from whoever made the archive: they are looked up, never used as paths of this machine.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from finback.codec import tar
from finback.codec.decompress import decompress, detect, reader
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.host import file
from finback.host.store import CHUNK, Store
from finback.tree.content import Slice
from finback.tree.entry import AnyEntry, File, HardLink, Symlink

MAX_FILES = 100_000
MAX_ARCHIVE = 64 << 30
HOPS = 8
# Named by the digest of its bytes.
_BLOB = re.compile(r"blobs/(?:sha256/[0-9a-f]{64}|sha512/[0-9a-f]{128})\Z", re.ASCII)
# An archive's contents are read by their place; nothing asks for the blob.
NO_BLOB = Digest.of(b"")


class Files(Protocol):
    """Files by name; names have no leading slash."""

    @property
    def label(self) -> str:
        """What to call the folder or archive in messages."""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""

    def stream(self, name: str) -> Iterator[bytes]:
        """The file's bytes in chunks of at most 1 MiB.

        Raises:
            FinbackError: F410, there is none; F404 or F405, it can't be read.

        """


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a folder.

    Only regular files below the folder are read: a name or a symbolic link that leads out of it would read files of
    this machine, and a device or a pipe has no end. A file that is called by its digest (`blobs/ALGORITHM/HEX`) may be
    a link to anywhere, as Bazel's layouts have them: its bytes are checked, so that nothing but itself can be read.
    """

    path: Path

    @property
    def label(self) -> str:
        """The folder's path."""
        return str(self.path)

    def has(self, name: str) -> bool:
        """Whether there is such a file; of a link, whether it leads to something."""
        return self._is_below(name) and (self.path / name).exists()

    def stream(self, name: str) -> Iterator[bytes]:
        """The file's bytes.

        Raises:
            FinbackError: F183, it lies outside the folder, or is not a regular file; F410, F404 or F405.

        """
        if not self._is_below(name):
            raise _not_read(name, self.label, "leads out of it")
        place = Path(os.path.realpath(self.path / name))
        if not _BLOB.match(name) and not place.is_relative_to(os.path.realpath(self.path)):
            raise _not_read(name, self.label, "is a symbolic link that leads out of it")
        with file.opened_regular(place) as stream:
            if stream is None:
                raise _not_read(name, self.label, "is not a regular file")
            while chunk := stream.read(CHUNK):
                yield chunk

    def _is_below(self, name: str) -> bool:
        return not name.startswith("/") and "\0" not in name and ".." not in name.split("/")


@dataclass(frozen=True, slots=True)
class Archive:
    """The files of an uncompressed tar archive."""

    path: Path
    label: str
    members: Mapping[str, AnyEntry]

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return self._found(name) is not None

    def stream(self, name: str) -> Iterator[bytes]:
        """The file's bytes."""
        found = self._found(name)
        if found is None:
            raise error("F410", f"{self.label} has no file {name}", help="the archive is not whole: make it anew")
        with file.opened(self.path) as stream:
            stream.seek(found.offset)
            left = found.size
            while left and (chunk := stream.read(min(left, CHUNK))):
                left -= len(chunk)
                yield chunk

    def _found(self, name: str) -> Slice | None:
        """Where the file's bytes are; links are followed, which older Dockers used for layers that occur twice."""
        for _ in range(HOPS):
            entry = self.members.get(name)
            if isinstance(entry, Symlink):
                name = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), entry.target)).lstrip("/")
            elif isinstance(entry, HardLink):
                name = entry.target
            else:
                return entry.content if isinstance(entry, File) and isinstance(entry.content, Slice) else None
        return None


def read(files: Files, name: str, limit: int) -> bytes:
    """The bytes of a small file.

    Raises:
        FinbackError: F410 there is none, F411 it is larger than *limit*; F404 or F405, it can't be read.

    """
    data = bytearray()
    for chunk in files.stream(name):
        data += chunk
        if len(data) > limit:
            raise error("F411", f"{name} in {files.label} is larger than {limit} bytes", help="it is no sound image")
    return bytes(data)


@contextmanager
def opened(path: Path, store: Store) -> Iterator[Files]:
    """What is at *path*: a folder, or a tar archive, which may be compressed by gzip, xz or zstd.

    Raises:
        FinbackError: F410 there is nothing, F185 it is no archive, F404 or F405 it can't be read, F403 no space to
            decompress it.

    """
    if path.is_dir():
        yield Folder(path)
        return
    with file.opened(path) as stream:
        method = detect(stream.read(6))
    if not method:
        yield archive(path, str(path))
        return
    with store.scratch() as scratch:
        plain = scratch / "archive.tar"
        try:
            with file.scratch_file(plain) as out:
                for piece in decompress(reader(_chunks(path)), method, MAX_ARCHIVE):
                    out.write(piece)
        except ValueError as failure:
            raise _no_archive(str(path), failure) from None
        yield archive(plain, str(path))


def _chunks(path: Path) -> Iterator[bytes]:
    with file.opened(path) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def archive(path: Path, label: str) -> Archive:
    """The uncompressed tar archive at *path*.

    Raises:
        FinbackError: F185 it is no archive, F410, F404 or F405 it can't be read.

    """
    members: dict[str, AnyEntry] = {}
    try:
        with file.opened(path) as stream:
            for entry in tar.decode(stream, NO_BLOB):
                members[entry.path] = entry
                if len(members) > MAX_FILES:
                    raise ValueError(f"more than {MAX_FILES} members")
    except ValueError as failure:
        raise _no_archive(label, failure) from None
    return Archive(path, label, members)


def _not_read(name: str, label: str, why: str) -> FinbackError:
    return error("F183", f"{name} in {label} {why}", help="this folder is not as any tool writes it: do not use it")


def _no_archive(label: str, failure: ValueError) -> FinbackError:
    return error("F185", f"{label} is not a tar archive of images: {failure}", help="check the path, or make it anew")
