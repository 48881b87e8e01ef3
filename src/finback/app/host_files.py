"""Files of the machine that builds, which the spec names: read, noted by digest for the lock, checked against it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from finback.app.parents import ASSEMBLY, is_remote
from finback.app.settings import data_folder
from finback.ground import canonical
from finback.ground.diagnostic import blame, error
from finback.ground.digest import Digest
from finback.ground.source import Span
from finback.host import environment, file
from finback.host.store import Store
from finback.resolve.lock import ABSENT, SystemPin
from finback.resolve.resolve import Copied

LIMIT = 1 << 30
# Entries and bytes of a folder.
MOST_ENTRIES, FOLDER_LIMIT = 100_000, 16 << 30
# What `Path.exists` takes as an answer, too.
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class HostFiles:
    """Files that the spec names, relative to the YAML file that names them.

    *lock_folder* is what paths in the lock are relative to. With *pinned*, only what it pins is given out.
    """

    def __init__(self, lock_folder: Path, store: Store, pinned: SystemPin | None) -> None:
        self._folder = lock_folder
        self._store = store
        self._pinned = pinned
        self.found: dict[str, Digest | None] = {}
        """What was read, as `SystemPin.files` has it."""

    def read(self, path: str, span: Span | None) -> tuple[bytes, int] | None:
        """As `finback.resolve.resolve.HostFiles`.

        Raises:
            FinbackError: F093, a file from a registry names a file of this machine; F602 or F603, the lock pins no such
                file, or another one; F136, it is a device, a socket or a pipe; F404, F405 or F411, it can't be read.

        """
        found = self._place(path, span)
        known = self._known(path, found)
        with blame(span):
            try:
                status = found.stat()
            except OSError as failure:
                if failure.errno not in _ABSENT:
                    raise file.failed(found, failure) from None
                self._note(known, None, span)
                return None
            data = _content(found, status)
        self._note(known, Digest.of(data), span)
        return data, stat.S_IMODE(status.st_mode)

    def folder(self, path: str, span: Span | None) -> tuple[Copied, ...] | None:
        """As `finback.resolve.resolve.HostFiles`.

        Raises:
            FinbackError: those of `read`, and F136, the folder is too large or has something that can't be copied.

        """
        found = self._place(path, span)
        if not found.is_dir():
            return None
        with blame(span):
            copied = tuple(self._copied(found, span))
        self._note(self._known(path, found), canonical.digest(["folder", *copied]), span)
        return copied

    def keep(self, data: bytes) -> Digest:
        """As `finback.resolve.resolve.HostFiles`."""
        return self._store.put(data)

    def _copied(self, top: Path, span: Span | None) -> Iterator[Copied]:
        """What is in *top*, each folder before what is in it, in an order that depends on names alone."""
        count = size = 0
        waiting = [top]
        while waiting:
            here = waiting.pop()
            try:
                status = here.stat() if here == top else here.lstat()
                mode = status.st_mode
                below = sorted(here.iterdir(), reverse=True) if stat.S_ISDIR(mode) else []
                target = str(here.readlink()) if stat.S_ISLNK(mode) else ""
            except OSError as failure:
                raise file.failed(here, failure) from None
            path = "" if here == top else here.relative_to(top).as_posix()
            count += 1
            if stat.S_ISLNK(mode):
                yield Copied(path=path, mode=0o777, target=target)
            elif stat.S_ISDIR(mode):
                yield Copied(path=path, mode=stat.S_IMODE(mode))
                waiting += below
            else:
                data = _content(here, status)
                size += len(data)
                yield Copied(path=path, mode=stat.S_IMODE(mode), content=self._store.put(data), size=len(data))
            if count > MOST_ENTRIES or size > FOLDER_LIMIT:
                limit = f"{MOST_ENTRIES} entries, or {FOLDER_LIMIT >> 30} GiB"
                advice = "name a folder that holds only what the image needs"
                raise error("F136", f"the folder {top} has more than {limit}", span, help=advice)

    def _place(self, path: str, span: Span | None) -> Path:
        if span and is_remote(span.source):
            raise error(
                "F093",
                f"{span.source.name} is from a registry, and takes a file of this machine: {path}",
                span,
                help="write `contents:` there, or `files.replace:` here",
            )
        if path.startswith("~/"):
            return environment.home() / path[2:]
        return (Path(span.source.name).parent if span and span.source.name != "<stdin>" else Path()) / path

    def _known(self, path: str, found: Path) -> str:
        """What the lock calls the file. A path that does not depend on where the YAML file lies stays as it is."""
        if path.startswith(("/", "~/")):
            return _text(path)
        brought = os.path.relpath(found, data_folder("assemblies"))
        return _text(ASSEMBLY + brought if not brought.startswith("..") else os.path.relpath(found, self._folder))

    def _note(self, known: str, digest: Digest | None, span: Span | None) -> None:
        self.found[known] = digest
        if self._pinned is None:
            return
        if known not in self._pinned.files:
            raise error(
                "F602",
                f"the file {known} is not in the lock",
                span,
                help="run `finback lock` and commit the lock file",
            )
        locked = self._pinned.files[known]
        if locked != digest:
            raise error(
                "F603",
                f"the file {known} is {digest or ABSENT}, and the lock pins {locked or ABSENT}",
                span,
                help="take back what has changed in it, or run `finback lock` and commit the lock file",
            )


def _content(path: Path, status: os.stat_result) -> bytes:
    """The bytes of a file of at most `LIMIT` bytes.

    Raises:
        FinbackError: F136, it is no file, and reading it might never end; F404, F405 or F411, it can't be read.

    """
    if not stat.S_ISREG(status.st_mode):
        advice = "name or leave there files, folders and symbolic links: others have no content to copy"
        raise error("F136", f"{path} is a device, a socket or a pipe", help=advice)
    if status.st_size > LIMIT:
        advice = "make it smaller, or keep it on a disk of `disks:` or in an image"
        raise error("F411", f"{path} has {status.st_size} bytes, more than the {LIMIT} of such a file", help=advice)
    return file.read(path, limit=LIMIT)


def _text(path: str) -> str:
    """*path* as a lock file can have it: bytes of a name that are no UTF-8 are written as escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
