"""Files of the machine that builds, which the spec names: read, noted by digest for the lock, checked against it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from finback.app.parents import ASSEMBLY, is_remote
from finback.app.settings import data_folder
from finback.ground import canonical
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.source import Span
from finback.host import environment, file
from finback.host.store import Store
from finback.resolve.lock import ABSENT, SystemPin
from finback.resolve.resolve import Copied

LIMIT = 1 << 30
# Entries and bytes of a folder.
MOST_ENTRIES, FOLDER_LIMIT = 100_000, 16 << 30


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
                file, or another one; F404, F405 or F411, it can't be read.

        """
        found = self._place(path, span)
        known = self._known(path, found)
        if not found.exists():
            self._note(known, None, span)
            return None
        data = file.read(found, limit=LIMIT)
        self._note(known, Digest.of(data), span)
        return data, found.stat().st_mode & 0o7777

    def folder(self, path: str, span: Span | None) -> tuple[Copied, ...] | None:
        """As `finback.resolve.resolve.HostFiles`.

        Raises:
            FinbackError: those of `read`, and F136, the folder is too large or has something that can't be copied.

        """
        found = self._place(path, span)
        if not found.is_dir():
            return None
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
                mode = (here.stat() if here == top else here.lstat()).st_mode
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
            elif stat.S_ISREG(mode):
                data = file.read(here, limit=LIMIT)
                size += len(data)
                yield Copied(path=path, mode=stat.S_IMODE(mode), content=self._store.put(data), size=len(data))
            else:
                advice = "remove it from the folder: files, folders and symbolic links can be copied"
                raise error("F136", f"{here} is a device, a socket or a pipe", span, help=advice)
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


def _text(path: str) -> str:
    """*path* as a lock file can have it: bytes of a name that are no UTF-8 are written as escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
