"""An image's tree as part of a root file system: what containers and the machine expect to find is supplied.

Source: compat 2.3, with one entry per path instead of duplicates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from finback.tree import link
from finback.tree.content import Inline
from finback.tree.entry import AnyEntry, Directory, File, HardLink, Symlink

DROPPED = frozenset({".dockerenv", "Dockerfile", "dev/console", "dev/pts", "dev/shm", "etc/hostname"})
# What is there is not of the image.
REPLACED = frozenset({"etc/hosts", "etc/resolv.conf"})
GONE = DROPPED | REPLACED
HOSTS = (
    b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
    b"ff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"
)
NO_RESOLVER = b"\n# no resolv.conf configured\n"
RESOLVER = "/run/resolvconf/resolv.conf"
TOUCHED = ("dev", "dev/pts", "dev/shm", "etc", "proc", "sys")


def container(entries: Iterable[AnyEntry], epoch: int) -> list[AnyEntry]:
    """The tree of a container's image."""
    return _completed(entries, File(path="etc/resolv.conf", content=Inline(NO_RESOLVER), mtime=epoch), epoch)


def init(entries: Iterable[AnyEntry], epoch: int) -> list[AnyEntry]:
    """The tree of an image that is unpacked at `/`, or of a volume: the resolver is the machine's."""
    return _completed(entries, Symlink(path="etc/resolv.conf", target=RESOLVER, mtime=epoch), epoch)


def _completed(entries: Iterable[AnyEntry], resolver: AnyEntry, epoch: int) -> list[AnyEntry]:
    tree = {e.path: e for e in link.only(entries, lambda path: path not in GONE)}
    for path in TOUCHED:
        tree.setdefault(path, Directory(path=path, mtime=epoch))
    tree["etc/hosts"] = File(path="etc/hosts", content=Inline(HOSTS), mtime=epoch)
    tree["etc/resolv.conf"] = resolver
    tree.setdefault("etc/mtab", Symlink(path="etc/mtab", target="/proc/mounts", mtime=epoch))
    return [tree[p] for p in sorted(tree, key=lambda p: p.split("/"))]


def below(prefix: str, entries: Iterable[AnyEntry], epoch: int) -> list[AnyEntry]:
    """*entries* moved below *prefix*, with the directories that lead there."""
    if not prefix:
        return list(entries)
    steps = prefix.split("/")
    out: list[AnyEntry] = [Directory(path="/".join(steps[: i + 1]), mtime=epoch) for i in range(len(steps))]
    for entry in entries:
        moved = replace(entry, path=f"{prefix}/{entry.path}")
        out.append(replace(moved, target=f"{prefix}/{moved.target}") if isinstance(moved, HardLink) else moved)
    return out
