"""The `files` section, and what the image says of itself. Source: compat 1.9.

Directories that lead to a file are made 0755 and root's where nothing else makes them; a directory that an image brings
keeps its mode, unlike in LinuxKit, where a file of mode 0600 in /etc made /etc private.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import replace

from finback.ground.diagnostic import error
from finback.resolve.plan import FilePlan
from finback.tree.content import Slice
from finback.tree.entry import AnyEntry, Directory, File, Symlink


def entry(file: FilePlan, epoch: int) -> AnyEntry:
    """The entry of one item.

    Raises:
        FinbackError: F156, its path leads nowhere.

    """
    path = posixpath.normpath(f"/{file.path}").strip("/")
    if not path:
        raise error("F156", f"{file.path!r} is no path of a file", file.origin.at("path"), help="name the file")
    if file.directory:
        made: AnyEntry = Directory(path=path, mode=file.mode)
    elif file.symlink is not None:
        made = Symlink(path=path, target=file.symlink)
    else:
        assert file.content is not None
        made = File(path=path, mode=file.mode, content=Slice(file.content, 0, file.size))
    return replace(made, uid=file.uid, gid=file.gid, mtime=epoch)


def with_parents(entries: Iterable[AnyEntry], known: set[str], epoch: int) -> list[AnyEntry]:
    """*entries*, each after the directories that lead to it and that are not in *known*, which grows."""
    out: list[AnyEntry] = []
    for item in entries:
        steps = item.path.split("/")[:-1]
        for depth in range(1, len(steps) + 1):
            parent = "/".join(steps[:depth])
            if parent not in known:
                known.add(parent)
                out.append(Directory(path=parent, mtime=epoch))
        known.add(item.path)
        out.append(item)
    return out
