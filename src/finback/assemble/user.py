"""Users of an image by name: what its /etc/passwd and /etc/group say. Source: passwd(5), group(5); Docker's USER."""

from __future__ import annotations

from dataclasses import replace

from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import flatten
from finback.resolve.plan import Container
from finback.spec.model import Settings
from finback.tree.entry import File

LIMIT = 1 << 20
MAX_ID = (1 << 32) - 2


def settled(container: Container, image: Digest, store: Store) -> Settings:
    """The settings of *container*, whose image is *image*, with the ids that its `user` means.

    Raises:
        FinbackError: F127, the image has no such user or group.

    """
    settings = container.settings
    if settings.user is None:
        return settings
    user, _, group = settings.user.partition(":")
    users, groups = (_rows(image, path, store) for path in ("etc/passwd", "etc/group"))
    row = next((r for r in users if len(r) > 3 and user in (r[0], r[2])), None)
    uid = _id(user, row[2] if row else "")
    others: tuple[int | str, ...] = ()
    if group:
        found = next((r for r in groups if len(r) > 2 and group in (r[0], r[2])), None)
        gid = _id(group, found[2] if found else "")
    else:
        gid = _id(row[3], "") if row else 0
        if row:
            listed = [_id(r[2], "") for r in groups if len(r) > 3 and row[0] in r[3].split(",")]
            others = tuple(i for i in listed if i is not None)
    if uid is None or gid is None:
        what, name = ("user", user) if uid is None else ("group", group)
        known = ", ".join(r[0] for r in (users if uid is None else groups)[:20]) or "none"
        raise error(
            "F127",
            f"image {container.image.reference} has no {what} {name!r}",
            container.origin.at("user"),
            help=f"name one that it has ({known}), or give an id",
        )
    return replace(settings, uid=uid, gid=gid, additional_gids=others or None, user=None)


def _id(text: str, found: str) -> int | None:
    number = found or text
    # The image's tables are anybody's: Python refuses to read a number of thousands of digits.
    is_number = number.isascii() and number.isdecimal() and len(number) <= len(str(MAX_ID))
    return int(number) if is_number and int(number) <= MAX_ID else None


def _rows(image: Digest, path: str, store: Store) -> list[list[str]]:
    """The lines of a table of the image, as their fields; none where it has no such file."""
    data = _file(image, path, store)
    return [line.split(":") for line in data.decode("utf-8", "replace").splitlines() if line and line[0] != "#"]


def _file(image: Digest, path: str, store: Store) -> bytes:
    found = next((e for e in flatten.entries(store, image) if e.path == path and isinstance(e, File)), None)
    if not isinstance(found, File) or found.content.size > LIMIT:
        return b""
    return b"".join(store.chunks(found.content))
