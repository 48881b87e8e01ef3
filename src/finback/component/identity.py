"""What an image says of itself: users, and the packages that it is made of.

Packages are recorded in the way that scanners know from distroless images: a stanza a package in
`var/lib/dpkg/status.d`, and beside it the list of its files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from finback.component.definition import User
from finback.component.unpack import Unpacked
from finback.tree.content import Inline
from finback.tree.entry import AnyEntry, File

STATUS = "var/lib/dpkg/status.d"
FIELDS = ("Package", "Version", "Architecture", "Source", "Maintainer", "Installed-Size", "Section", "Description")


def users(wanted: tuple[User, ...] | None, tree: Mapping[str, AnyEntry], epoch: int) -> dict[str, AnyEntry]:
    """/etc/passwd and /etc/group, where the definition names users or the packages bring none."""
    if wanted is None and "etc/passwd" in tree:
        return {}
    everyone = {"root": User(name="root", uid=0, home="/root", shell="/bin/sh")}
    everyone |= {u.name: u for u in wanted or ()}
    everyone.setdefault("nobody", User(name="nobody", uid=65534))
    passwd = [
        f"{u.name}:x:{u.uid}:{_gid(u)}::{u.home or '/nonexistent'}:{u.shell or '/usr/sbin/nologin'}\n"
        for u in everyone.values()
    ]
    groups: dict[int, str] = {}
    for user in everyone.values():
        groups.setdefault(_gid(user), user.name)
    members = {
        name: ",".join(u.name for u in everyone.values() if name in (u.groups or ())) for name in groups.values()
    }
    group = [f"{name}:x:{number}:{members[name]}\n" for number, name in groups.items()]
    return {
        path: File(path=path, mtime=epoch, content=Inline("".join(lines).encode()))
        for path, lines in (("etc/passwd", passwd), ("etc/group", group))
    }


def _gid(user: User) -> int:
    return user.uid if user.gid is None else user.gid


def packages(parts: Iterable[tuple[str, AnyEntry]], unpacked: Unpacked, epoch: int) -> dict[str, AnyEntry]:
    """The records of packages, of each of which *parts* has the entries that the image has of it."""
    lists: dict[str, list[str]] = {}
    for name, entry in sorted(parts, key=lambda p: p[1].path):
        if isinstance(entry, File):
            digest = hashlib.md5(usedforsecurity=False)
            for chunk in unpacked.read(entry.content):
                digest.update(chunk)
            lists.setdefault(name, []).append(f"{digest.hexdigest()}  {entry.path}\n")
    out: dict[str, AnyEntry] = {}
    for name, lines in sorted(lists.items()):
        fields = unpacked.control[name]
        stanza = "".join(f"{f}: {fields[f].splitlines()[0]}\n" for f in FIELDS if fields.get(f))
        for path, text in ((f"{STATUS}/{name}", stanza), (f"{STATUS}/{name}.md5sums", "".join(lines))):
            out[path] = File(path=path, mtime=epoch, content=Inline(text.encode()))
    return out
