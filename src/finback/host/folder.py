"""Folders that hold the state of something that runs: made private, locked while they change, swept."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from finback.ground.diagnostic import error
from finback.host.file import failed

OTHERS = 0o077
"""Permission bits of the group and of all others."""


def make_private(path: Path) -> None:
    """Make the folder *path*, for this user only. One that is there must be this user's, and nobody else's to read: an
    empty one is closed to others, since nobody's access to anything is lost by that.

    Raises:
        FinbackError: F403 no space, F404 not permitted, somebody else's, or open to others; F405 any other trouble.

    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        link, found = path.lstat(), path.stat()
        if not stat.S_ISDIR(found.st_mode) or {link.st_uid, found.st_uid} != {os.getuid()}:
            raise error(
                "F404", f"{path} is not a folder of yours", help="choose another place, or remove what is there"
            )
        if found.st_mode & OTHERS and not any(path.iterdir()):
            path.chmod(0o700)
            found = path.stat()
    except OSError as failure:
        raise failed(path, failure) from None
    if found.st_mode & OTHERS:
        raise error(
            "F404",
            f"{path} has something in it, and others may read or enter it: secrets and control sockets would be theirs",
            help=f"close it first, with `chmod 700 {path}`, or choose a folder that is not there yet",
        )


def make(path: Path) -> None:
    """Make the folder *path*, and those above it, unless it is there.

    Raises:
        FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise failed(path, failure) from None


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold the lock file *path* for a block; whether it was free. Its content does not matter.

    Raises:
        FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

    """
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as failure:
        raise failed(path, failure) from None
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(number)


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Remove files and folders from *folder*; those that are not there are no matter.

    Raises:
        FinbackError: F404 not permitted, F405 any other trouble.

    """
    for name in names:
        try:
            if (folder / name).is_dir() and not (folder / name).is_symlink():
                shutil.rmtree(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
        except OSError as failure:
            raise failed(folder / name, failure) from None


@contextmanager
def placed(path: Path) -> Iterator[Path]:
    """A name beside *path* for another program to make a file at; it is renamed to *path* when the block ends well.

    Raises:
        FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as failure:
        raise failed(path, failure) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A new folder in *parent* for a block, removed afterwards with what is in it.

    Raises:
        FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

    """
    try:
        place = Path(tempfile.mkdtemp(prefix=".scratch.", dir=parent))
    except OSError as failure:
        raise failed(parent, failure) from None
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def point(link: Path, target: Path) -> None:
    """Make the symbolic link *link* lead to *target*.

    Raises:
        FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

    """
    with placed(link) as temporary:
        temporary.symlink_to(target)


def remove_if_empty(folder: Path) -> None:
    """Remove *folder* when nothing is in it."""
    try:
        folder.rmdir()
    except OSError:
        return
