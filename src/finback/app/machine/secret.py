"""Secrets that a machine is given when it is started."""

from __future__ import annotations

from pathlib import Path

from finback.ground.diagnostic import error

Secrets = tuple[tuple[str, Path], ...]
"""Names, and the files that hold the values."""
LIMIT = 1 << 20


def checked(secrets: Secrets, architecture: str) -> Secrets:
    """*secrets* with absolute paths.

    Raises:
        FinbackError: F538, a machine of *architecture* can't be given any; a file is missing or too large.

    """
    if secrets and architecture == "s390x":
        raise error("F538", "no secret can be given to s390x, which has no fw_cfg", help="use --data")
    for name, path in secrets:
        if not path.is_file():
            raise error("F538", f"there is no file {path} for the secret {name}", help="name one: --secret NAME=FILE")
        if path.stat().st_size > LIMIT:
            raise error("F538", f"the secret {name} is larger than {LIMIT} bytes", help="keep large data on a disk")
    return tuple((name, path.absolute()) for name, path in secrets)
