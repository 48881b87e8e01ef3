"""The files that programs need to start: interpreters and shared libraries, found as the dynamic loader finds them.

What a program opens at run time by itself (plug-ins, name service modules) can't be seen here; a definition names it.

Images have no /etc/ld.so.cache, since nothing is run to make them. The folders of /etc/ld.so.conf.d, /usr/local/lib
among them, count only through that cache: a library there would not be found in the image either.

Source: ld.so(8); glibc's elf/dl-load.c, _dl_map_object, for the order; for the folders, "system search path" in what
`ld.so --help` of Debian says.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from finback.codec import elf
from finback.component.merged_usr import moved
from finback.component.unpack import Unpacked
from finback.ground.diagnostic import error
from finback.ground.platform import Platform
from finback.tree.entry import File, Symlink

MAX_LINKS = 40
_TOKEN = re.compile(r"\$(?:(ORIGIN|LIB)\b|\{(ORIGIN|LIB)\})")


@dataclass(frozen=True, slots=True)
class _Visit:
    """A path to look at, and how the loader came there."""

    path: str
    folder: str
    """Where it was found, before links were followed: `$ORIGIN`."""
    inherited: tuple[str, ...] = ()
    """DT_RPATH folders of what loads it."""


class Closure:
    """Follows needs within one unpacked tree. What is at *provided* paths comes from elsewhere, and is not followed."""

    def __init__(self, unpacked: Unpacked, platform: Platform, provided: frozenset[str] = frozenset()) -> None:
        self._provided = provided
        self._unpacked = unpacked
        self._platform = platform
        # Below /lib is what is below /usr/lib, in a merged tree.
        self._folders = (f"/usr/lib/{platform.names.triplet}", "/usr/lib")

    def is_elf(self, path: str) -> bool:
        """Whether the entry at *path* is an ELF file."""
        entry = self._unpacked.tree.get(path)
        return isinstance(entry, File) and self._unpacked.data(entry, 4) == elf.MAGIC

    def of(self, paths: Iterable[str]) -> set[str]:
        """*paths* and everything that they need: links followed, interpreters, libraries.

        Raises:
            FinbackError: F144, something needed is not in the tree; F145, a program is for another machine.

        """
        seen: set[_Visit] = set()
        todo = [_visit(p) for p in sorted(paths)]
        while todo:
            visit = todo.pop()
            if visit in seen:
                continue
            seen.add(visit)
            entry = self._unpacked.tree[visit.path]
            if isinstance(entry, Symlink):
                todo += self._follow(visit.path)
            elif isinstance(entry, File):
                todo += self._needs(visit, entry)
        return {v.path for v in seen}

    def resolve(self, path: str) -> tuple[str, list[str]]:
        """Follow symbolic links from *path*: the final path, and the links on the way. "" when it leads nowhere."""
        links: list[str] = []
        steps = [s for s in moved(path.strip("/")).split("/") if s]
        done: list[str] = []
        while steps:
            step = steps.pop(0)
            if step == "..":
                done = done[:-1]
                continue
            here = moved("/".join([*done, step]))
            entry = self._unpacked.tree.get(here)
            if isinstance(entry, Symlink):
                links.append(here)
                if len(links) > MAX_LINKS:
                    return "", links
                target = entry.target
                base = [] if target.startswith("/") else done
                joined = posixpath.join("/".join(base), target.lstrip("/"))
                steps = [s for s in moved(joined).split("/") if s and s != "."] + steps
                done = []
                continue
            done = here.split("/")
        final = "/".join(done)
        return (final if final in self._unpacked.tree else ""), links

    def _follow(self, path: str) -> list[_Visit]:
        final, links = self.resolve(path)
        return [_visit(p) for p in (*links, final)] if final else [_visit(p) for p in links]

    def _needs(self, visit: _Visit, entry: File) -> list[_Visit]:
        head = self._unpacked.data(entry, 4)
        if head[:2] == b"#!":
            line = self._unpacked.data(entry, 256).split(b"\n", 1)[0][2:].decode("utf-8", "replace").split()
            return self._found(line[0], visit) if line and not line[0].endswith("/env") else []
        if head != elf.MAGIC:
            return []
        path = visit.path
        try:
            header = elf.read(lambda offset, size: self._unpacked.data(entry, size, offset))
        except ValueError as failure:
            raise error("F145", f"/{path}: {failure}", help="the package is faulty: report it to Debian") from None
        if header.machine != self._platform.names.elf_machine:
            raise error("F145", f"/{path} is not for {self._platform.architecture}", help="keep it out with `drop:`")
        out = self._found(header.interpreter, visit) if header.interpreter else []
        passed_on = tuple(dict.fromkeys((*self._expanded(header.rpath, visit), *visit.inherited)))
        own = self._expanded(header.runpath, visit) if header.runpath else passed_on
        for name in header.needed:
            out += self._library(name, visit, (*own, *self._folders), passed_on)
        return out

    def _library(self, name: str, visit: _Visit, folders: tuple[str, ...], passed_on: tuple[str, ...]) -> list[_Visit]:
        places = self._expanded((name,), visit) if "/" in name else tuple(f"{f}/{name}" for f in folders)
        for place in places:
            final, links = self.resolve(posixpath.normpath(place))
            if final:
                return [*map(_visit, links), _Visit(final, posixpath.dirname(posixpath.normpath(place)), passed_on)]
            if self._is_provided(place):
                return []
        raise self._missing(name, visit.path)

    def _expanded(self, folders: tuple[str, ...], visit: _Visit) -> tuple[str, ...]:
        """*folders* with ld.so's tokens replaced. Those that depend on the working directory are left out."""
        tokens = {"ORIGIN": visit.folder, "LIB": f"lib/{self._platform.names.triplet}"}
        whole = (_TOKEN.sub(lambda m: tokens[m[1] or m[2]], f) for f in folders)
        return tuple(f for f in whole if f.startswith("/"))

    def _found(self, wanted: str, visit: _Visit) -> list[_Visit]:
        final, links = self.resolve(wanted)
        if not final and self._is_provided(wanted):
            return []
        if not final:
            raise self._missing(wanted, visit.path)
        return [_visit(p) for p in (*links, final)]

    def _is_provided(self, path: str) -> bool:
        return moved(posixpath.normpath(path).strip("/")) in self._provided

    def _missing(self, wanted: str, path: str) -> Exception:
        package = self._unpacked.owners.get(path, "")
        return error(
            "F144",
            f"/{path} (package {package}) needs {wanted}, which no unpacked package has",
            help="add the package that has it to `packages`, or take it out of `without`",
        )


def _visit(path: str) -> _Visit:
    return _Visit(path, "/" + posixpath.dirname(path))
