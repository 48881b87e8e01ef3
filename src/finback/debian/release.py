"""Release files: what a suite of an archive holds, by hash, and how long that statement is good.

Subset: the fields that verification needs; of the lists of hashes only SHA256, which every archive has.
Specification: Debian wiki, DebianRepository/Format, section "Release" files.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from collections.abc import Mapping
from dataclasses import dataclass

from finback.debian import control
from finback.ground.diagnostic import error
from finback.ground.digest import Digest

# How far a Release file's date may be ahead of this machine's clock, in seconds. apt allows 10; a laptop's clock or a
# mirror's may be further off without anything being wrong, and replaying the future gains an attacker nothing.
TOLERANCE = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A Release file whose signature has been checked. Times are seconds since 1970."""

    origin: str
    suite: str
    codename: str
    date: int
    valid_until: int | None
    by_hash: bool
    files: Mapping[str, tuple[Digest, int]]
    """Path below the suite's folder to digest and size in bytes."""


def decode(text: bytes, name: str) -> Release:
    """Read the signed part of an InRelease file; *name* says which, for errors.

    Raises:
        FinbackError: F130, it is not a Release file.

    """
    try:
        fields = next(control.paragraphs(text.decode().splitlines()), {})
        until = fields.get("Valid-Until")
        return Release(
            origin=fields.get("Origin", ""),
            suite=fields.get("Suite", ""),
            codename=fields.get("Codename", ""),
            date=_time(fields["Date"]),
            valid_until=_time(until) if until else None,
            by_hash=fields.get("Acquire-By-Hash", "no").lower() == "yes",
            files=_files(fields["SHA256"]),
        )
    except KeyError as failure:
        reason = f"it has no field {failure.args[0]}"
    except (ValueError, OverflowError) as failure:
        reason = str(failure)
    raise error("F130", f"{name} is not a Release file: {reason}", help="check the mirror's address")


def check(release: Release, suite: str, now: int, name: str, *, expired: bool = False) -> None:
    """Refuse a statement about another suite than *suite*, or one that does not hold at *now*.

    *expired* accepts a statement that is no longer good: for archives that keep the past.

    Raises:
        FinbackError: F312 another suite, F313 expired, F314 from the future.

    """
    if suite not in (release.suite, release.codename):
        raise error(
            "F312",
            f"{name} is that of suite {release.suite} ({release.codename})",
            help="the mirror mixes up its suites; use another one",
        )
    if release.valid_until is not None and now > release.valid_until and not expired:
        raise error(
            "F313",
            f"{name} was good until {_shown(release.valid_until)}, and it is {_shown(now)}",
            help="the mirror is no longer updated, or this machine's clock is wrong; use another mirror, or set "
            "checkValidUntil: false (FINBACK_CHECK_VALID_UNTIL=false) for an archive that keeps the past",
        )
    if release.date > now + TOLERANCE:
        raise error(
            "F314",
            f"{name} is from {_shown(release.date)}, and it is only {_shown(now)}",
            help="set this machine's clock",
        )


def _files(text: str) -> dict[str, tuple[Digest, int]]:
    files = {}
    for line in text.split("\n"):
        if line.strip():
            encoded, size, path = line.split()
            files[path] = (Digest("sha256", encoded), int(size))
    return files


def _time(text: str) -> int:
    # Debian writes "UTC", which the parser knows; "-0000" and unknown zones it leaves open, and they mean UTC here.
    try:
        found = email.utils.parsedate_to_datetime(text)
    except TypeError:
        raise ValueError(f"{text!r} is not a date") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=dt.UTC)
    return int(found.timestamp())


def _shown(seconds: int) -> str:
    return email.utils.formatdate(seconds, usegmt=True)
