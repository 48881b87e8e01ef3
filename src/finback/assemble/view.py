"""A tree as a program in it sees it: paths lead through symbolic links.

Source: path_resolution(7).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from finback.tree.content import Reader, part
from finback.tree.entry import AnyEntry, Directory, File, HardLink, Symlink

HOPS = 40


class View:
    """A tree that is put together from one or several."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._tree: dict[str, AnyEntry] = {}
        self._named: dict[str, list[str]] | None = None

    def lay(self, entries: Iterable[AnyEntry]) -> None:
        """Lay *entries* over what is there. A directory does not take the place of a link to one."""
        leads: dict[str, str] = {}
        for entry in entries:
            head, _, name = entry.path.rpartition("/")
            if head not in leads:
                leads[head] = self.resolve(head)
                self._make(leads[head])
            path = f"{leads[head]}/{name}".lstrip("/")
            moved = replace(entry, path=path) if path != entry.path else entry
            if not (isinstance(entry, Directory) and isinstance(self._tree.get(path), Symlink)):
                self._tree[path] = moved

    def resolve(self, path: str) -> str:
        """Where *path* leads, links followed, whether something is there or not; "" is the root."""
        left = path.split("/")[::-1]
        done: list[str] = []
        hops = 0
        while left:
            step = left.pop()
            if step in ("", "."):
                continue
            if step == "..":
                done = done[:-1]
                continue
            here = "/".join((*done, step))
            entry = self._tree.get(here)
            if not isinstance(entry, Symlink) or hops == HOPS:
                done.append(step)
                continue
            hops += 1
            done = [] if entry.target.startswith("/") else done
            left += entry.target.split("/")[::-1]
        return "/".join(done)

    def find(self, path: str) -> AnyEntry | None:
        """What is where *path* leads; a further name of a file is the file."""
        entry = self._tree.get(self.resolve(path))
        return self._tree.get(entry.target) if isinstance(entry, HardLink) else entry

    def exists(self, path: str) -> bool:
        """Whether there is something where *path* leads."""
        final = self.resolve(path)
        return not final or final in self._tree

    def data(self, file: File, offset: int, size: int) -> bytes:
        """At most *size* bytes of *file* from *offset*."""
        size = max(0, min(size, file.content.size - offset))
        return b"".join(bytes(c) for c in self._read(part(file.content, offset, size))) if size else b""

    def named(self, name: str) -> Iterator[File]:
        """The files that are called *name*, wherever they are, and what links of that name lead to."""
        if self._named is None:
            self._named = {}
            for path in self._tree:
                self._named.setdefault(path.rpartition("/")[2], []).append(path)
        found = (self.find(path) for path in self._named.get(name, ()))
        return (f for f in found if isinstance(f, File))

    def programs(self) -> Iterator[tuple[str, File]]:
        """Every executable file by each of its names, links included, in the order of the names."""
        for path in sorted(self._tree):
            entry = self._tree[path]
            found = self.find(path) if isinstance(entry, Symlink | HardLink) else entry
            if isinstance(found, File) and found.mode & 0o111 and ".so" not in path:
                yield f"/{path}", found

    def _make(self, folder: str) -> None:
        steps = folder.split("/") if folder else []
        for depth in range(1, len(steps) + 1):
            path = "/".join(steps[:depth])
            self._tree.setdefault(path, Directory(path=path))
