"""Hidden files beside the files that they will become: written under a temporary name, then renamed.

The name is `.NAME.PID.HEX`. The writing process locks the file for as long as it works on it; the system frees the lock
when the process dies. What a dead process left can so be told from what a living one writes, also between containers
that share the folder. Between making and locking, a file looks abandoned: makers hold a shared lock on the folder
meanwhile, and sweepers an exclusive one. A file system without locks is never swept.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from finback.host.claim import remove_abandoned

_HIDDEN = re.compile(r"\.(.+)\.\d+\.[0-9a-f]{8}", re.DOTALL)


def make(path: Path) -> tuple[Path, int]:
    """A new, empty hidden file beside *path*; the handle, open for writing, holds its lock.

    Raises:
        OSError: it can't be made.

    """
    hidden = _hidden(path)
    with _folder_locked(path.parent, fcntl.LOCK_SH):
        handle = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return hidden, handle


def sweep(folder: Path, belongs: Callable[[str], bool]) -> None:
    """Remove from *folder* the hidden files that dead processes have left of files whose names *belongs* accepts."""
    try:
        with os.scandir(folder) as found:
            names = [e.name for e in found if (m := _HIDDEN.fullmatch(e.name)) and belongs(m[1])]
        if names:
            with _folder_locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB) as locked:
                for name in names if locked else ():
                    remove_abandoned(folder / name)
    except OSError:
        # Sweeping is a courtesy: whoever writes into the folder next learns what is wrong with it.
        return


def publish(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Give each hidden file the name of its target, so that at no time old targets stand beside new ones.

    What is there already is moved aside first; when anything fails it is moved back. A process that is killed in
    between leaves some targets missing, none mixed.

    Raises:
        OSError: a target can't be replaced. All targets are as before.

    """
    wanted = list(pairs)
    if len(wanted) == 1:
        hidden, target = wanted[0]
        hidden.replace(target)
        return
    for _, target in wanted:
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory", str(target))
    aside: list[tuple[Path, Path]] = []
    new: list[Path] = []
    with _all_locked({t.parent for _, t in wanted}):
        try:
            for _, target in wanted:
                with suppress(FileNotFoundError):
                    backup = _hidden(target)
                    target.rename(backup)
                    aside.append((backup, target))
            for hidden, target in wanted:
                hidden.rename(target)
                new.append(target)
        except BaseException:
            for target in new:
                target.unlink(missing_ok=True)
            for backup, target in aside:
                backup.rename(target)
            raise
        for backup, _ in aside:
            backup.unlink(missing_ok=True)


def _hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")


@contextmanager
def _folder_locked(folder: Path, how: int) -> Iterator[bool]:
    """Hold a lock on *folder*; whether there is one. A folder that this user may write but not read has none."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(handle, how)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


@contextmanager
def _all_locked(folders: Iterable[Path]) -> Iterator[None]:
    handles: list[int] = []
    try:
        # In one order for all processes, so that none waits for another that waits for it.
        for folder in sorted(folders):
            with suppress(OSError):
                handles.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
                fcntl.flock(handles[-1], fcntl.LOCK_EX)
        yield
    finally:
        for handle in handles:
            os.close(handle)
