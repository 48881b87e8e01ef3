"""Time."""

from __future__ import annotations

import os
import time

from finback.ground.diagnostic import error


def now() -> float:
    """Seconds since 1970, UTC."""
    return time.time()


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def monotonic() -> float:
    """Seconds on a clock that only goes forward."""
    return time.monotonic()


def source_date_epoch(default: int) -> int:
    """The time that generated files get: `SOURCE_DATE_EPOCH` (reproducible-builds.org), or *default*.

    Raises:
        FinbackError: F501, the variable is not a number of seconds.

    """
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 10 or int(text) > 0xFFFFFFFF:
        raise error("F501", f"SOURCE_DATE_EPOCH is {text!r}", help="set it to seconds since 1970, or unset it")
    return int(text)
