"""SQLite files that are made once, whole, and then only read."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path

from finback.host.file import failed


def open_made(path: Path, make: Callable[[sqlite3.Connection], object]) -> sqlite3.Connection:
    """The database at *path*, read-only; made by *make* under another name and renamed when it is not there.

    Raises:
        FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

    """
    if not path.exists():
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(temporary)
            try:
                # Nothing reads it before the rename, so that neither journal nor syncing is needed.
                connection.execute("PRAGMA journal_mode=OFF")
                connection.execute("PRAGMA synchronous=OFF")
                make(connection)
            finally:
                connection.close()
            temporary.replace(path)
        except sqlite3.OperationalError as failure:
            raise failed(path, OSError(28 if "full" in str(failure) else 5, str(failure))) from None
        except OSError as failure:
            raise failed(path, failure) from None
        finally:
            temporary.unlink(missing_ok=True)
    return sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)


def remove(path: Path) -> None:
    """Remove a database that turned out to be damaged.

    Raises:
        FinbackError: F404 not permitted, F405 any other trouble.

    """
    try:
        path.unlink(missing_ok=True)
    except OSError as failure:
        raise failed(path, failure) from None
