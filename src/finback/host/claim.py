"""Temporary names in a folder that many processes share, and locks between the processes.

Whatever is in `tmp/` is locked by the process that makes it. The system frees the lock when the process dies, so that
what a dead process left can be told from what a living one needs, also across containers that share the folder, where
process ids say nothing.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from pathlib import Path


def lock(path: Path, how: int) -> int:
    """Lock the file at *path*, made when it is not there; the handle, whose closing frees the lock.

    Raises:
        OSError: BlockingIOError when *how* has LOCK_NB and another has the lock; else as `os.open`.

    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(handle, how)
    except BaseException:
        os.close(handle)
        raise
    return handle


class Claims:
    """Names in the folder `tmp` of *root*. The folder `locks` beside it holds the lock between makers and sweepers."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "tmp"
        self._gate = root / "locks" / "tmp"
        self._swept = False

    def make(self, *, folder: bool) -> tuple[Path, int]:
        """A new file or folder, and the handle that holds its lock for as long as it is open.

        Raises:
            OSError: it can't be made.

        """
        self._sweep()
        path = self._folder / f"{os.getpid()}.{secrets.token_hex(6)}"
        # Between making and locking it looks abandoned: nobody sweeps while this lock is held.
        gate = lock(self._gate, fcntl.LOCK_SH)
        try:
            if folder:
                path.mkdir()
            how = os.O_RDONLY if folder else os.O_WRONLY | os.O_CREAT | os.O_EXCL
            handle = os.open(path, how | os.O_CLOEXEC, 0o666)
            # A folder is locked shared, so that whoever writes a file in it can lock it too. Sweepers want it alone.
            fcntl.flock(handle, fcntl.LOCK_SH if folder else fcntl.LOCK_EX)
        finally:
            os.close(gate)
        return path, handle

    def _sweep(self) -> None:
        """Remove, once, what dead processes have left."""
        if self._swept:
            return
        self._swept = True
        try:
            gate = lock(self._gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Somebody is making a file; another run will sweep.
            return
        try:
            for left in self._folder.iterdir():
                remove_abandoned(left)
        finally:
            os.close(gate)


def remove_abandoned(left: Path) -> None:
    """Remove the file or folder *left* unless a living process holds its lock."""
    try:
        handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        # Gone by now, or another user's: theirs to remove.
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    except OSError:
        # Its maker lives, it is another user's, or the file system has no locks.
        return
    finally:
        os.close(handle)
