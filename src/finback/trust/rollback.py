"""Archives do not go back in time: the newest date that each suite was seen with is remembered.

A signature alone does not say that a statement is the newest one: whoever stands between an archive and this machine
can answer with an old one, whose packages have known faults, for as long as its Valid-Until allows, and without end
where it has none (as Debian's stable suites, between their point releases).

What is remembered is one small file per store. When it is lost or damaged, everything is as on the first day: nothing
has been seen yet.

Source: Cappos et al., "A Look in the Mirror: Attacks on Package Managers" (CCS 2008), section "Replay Attacks".
"""

from __future__ import annotations

import email.utils
from collections.abc import Mapping

from finback.codec.strict_json import Node
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.host import file, record
from finback.host.store import Store

NAME = "archive-dates.json"
KEY = Digest.of(NAME.encode())
LIMIT = 1 << 20
TOLERANCE = 24 * 3600
"""Seconds by which a statement may be older than the newest that was seen. The servers behind one mirror's name, and
mirrors among each other, are not updated in the same moment."""


def check(store: Store, archive: str, date: int, name: str) -> None:
    """Refuse a statement of *date* (seconds since 1970) about *archive* when a newer one was seen; else remember it.

    *archive* says which archive and suite the statement is about, in words of the statement itself; *name* is for
    errors. Mirrors are not told apart: an old statement is as old from another mirror.

    Raises:
        FinbackError: F315, it is more than `TOLERANCE` older than the newest that was seen; F403, F404 or F405, the
            store can't be written.

    """
    with store.lock("archive-dates"):
        seen = _read(store)
        newest = seen.get(archive, 0)
        if date < newest - TOLERANCE:
            raise error(
                "F315",
                f"{name} is from {_shown(date)}, and one from {_shown(newest)} was seen before",
                help="the mirror is out of date, or somebody replays an old state of the archive to hold back security "
                "updates; use another mirror, or set checkValidUntil: false (FINBACK_CHECK_VALID_UNTIL=false) for an "
                f"archive that keeps the past. What was seen is remembered in {store.root / NAME}",
            )
        if date > newest:
            _write(store, {**seen, archive: date})


def _read(store: Store) -> dict[str, int]:
    try:
        found = Node(record.decode(file.read(store.root / NAME, limit=LIMIT), KEY))
        return {archive: date.integer() for archive, date in found.members().items()}
    except (FinbackError, ValueError):
        # Not there yet, or damaged: it is written anew.
        return {}


def _write(store: Store, seen: Mapping[str, int]) -> None:
    with file.writing(store.root / NAME) as out:
        # With a checksum: a damaged digit could refuse every statement for years.
        out.write(record.encode(KEY, dict(seen)) + b"\n")


def _shown(seconds: int) -> str:
    return email.utils.formatdate(seconds, usegmt=True)
