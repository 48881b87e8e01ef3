"""`--frozen`: what is about to be built is what the lock file pins, or nothing is built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.host import clock
from finback.resolve.lock import Lock, SystemPin, plan_digest
from finback.resolve.plan import Plan

REMEDY = "run `finback lock` with the same options and commit the lock file"


def pinned(lock: Lock, platform: Platform, path: Path) -> SystemPin:
    """What *lock*, which is at *path*, pins of the system for *platform* besides images.

    Raises:
        FinbackError: F602, it pins nothing for the platform, or is of a version that did not pin all.

    """
    system = lock.systems.get(str(platform))
    if system is not None:
        return system
    if lock.platforms.get(str(platform)):
        raise error(
            "F602",
            f"{path} was written by an older finback: it pins images, but not the files of this machine, the plan and "
            "the outputs",
            help=f"{REMEDY}; builds without --frozen read it as it is",
        )
    others = f"; it does for {', '.join(lock.platforms)}" if lock.platforms else ""
    raise error("F602", f"{path} pins nothing for {platform}{others}", help=REMEDY)


def epoch(system: SystemPin) -> int:
    """The time of all files, in seconds since 1970: the one that the lock pins.

    Raises:
        FinbackError: F603, SOURCE_DATE_EPOCH is another time; F501, it is none.

    """
    asked = clock.source_date_epoch(system.epoch)
    if asked != system.epoch:
        raise error(
            "F603",
            f"SOURCE_DATE_EPOCH is {asked}, and the lock pins {system.epoch}",
            help=f"unset it, or {REMEDY}",
        )
    return asked


def check(plan: Plan, system: SystemPin, files: Mapping[str, Digest | None]) -> None:
    """See that *plan*, for which *files* of this machine were read, is the one that the lock pins.

    Raises:
        FinbackError: F603, it is not.

    """
    unread = [name for name in system.files if name not in files]
    if unread:
        raise error("F603", f"the lock pins files that are no longer taken: {', '.join(unread)}", help=REMEDY)
    found = plan_digest(plan)
    if found != system.plan:
        raise error(
            "F603",
            f"the YAML files, the values of --set and this version of finback give another system ({found.short}) than "
            f"the one that the lock pins ({system.plan.short})",
            help=f"take back what has changed, or {REMEDY}; `finback plan` shows the system",
        )
