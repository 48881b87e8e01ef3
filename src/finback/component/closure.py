"""The files that programs need to start: interpreters and shared libraries, found as the dynamic loader finds them.

What a program opens at run time by itself (plug-ins, name service modules) can't be seen here; a definition names it.

Source: ld.so(8).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from finback.codec import elf
from finback.component.merged_usr import moved
from finback.component.unpack import Unpacked
from finback.ground.diagnostic import error
from finback.ground.platform import Platform
from finback.tree.entry import File, Symlink

MAX_LINKS = 40


class Closure:
    """Follows needs within one unpacked tree."""

    def __init__(self, unpacked: Unpacked, platform: Platform) -> None:
        self._unpacked = unpacked
        self._platform = platform
        triplet = platform.names.triplet
        self._folders = (f"usr/lib/{triplet}", "usr/lib", "usr/lib64", "usr/local/lib")

    def is_elf(self, path: str) -> bool:
        """Whether the entry at *path* is an ELF file."""
        entry = self._unpacked.tree.get(path)
        return isinstance(entry, File) and self._unpacked.data(entry, 4) == elf.MAGIC

    def of(self, paths: Iterable[str]) -> set[str]:
        """*paths* and everything that they need: links followed, interpreters, libraries.

        Raises:
            FinbackError: F144, something needed is not in the tree; F145, a program is for another machine.

        """
        out: set[str] = set()
        todo = sorted(paths)
        while todo:
            path = todo.pop()
            if path in out:
                continue
            out.add(path)
            entry = self._unpacked.tree[path]
            if isinstance(entry, Symlink):
                todo += self._follow(path)
            elif isinstance(entry, File):
                todo += self._needs(path, entry)
        return out

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
            here = "/".join([*done, step])
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
            done.append(step)
        final = "/".join(done)
        return (final if final in self._unpacked.tree else ""), links

    def _follow(self, path: str) -> list[str]:
        final, links = self.resolve(path)
        return [*links, final] if final else links

    def _needs(self, path: str, entry: File) -> list[str]:
        head = self._unpacked.data(entry, 4)
        if head[:2] == b"#!":
            line = self._unpacked.data(entry, 256).split(b"\n", 1)[0][2:].decode("utf-8", "replace").split()
            return self._found(line[0], path) if line and not line[0].endswith("/env") else []
        if head != elf.MAGIC:
            return []
        try:
            header = elf.decode(self._unpacked.data(entry, 256 << 20))
        except ValueError as failure:
            raise error("F145", f"/{path}: {failure}", help="the package is faulty: report it to Debian") from None
        if header.machine != self._platform.names.elf_machine:
            raise error("F145", f"/{path} is not for {self._platform.architecture}", help="keep it out with `drop:`")
        out = self._found(header.interpreter, path) if header.interpreter else []
        for name in header.needed:
            out += self._library(name, path, header)
        return out

    def _library(self, name: str, path: str, header: elf.Elf) -> list[str]:
        if "/" in name:
            return self._found(name, path)
        own = [p.replace("$ORIGIN", "/" + posixpath.dirname(path)).replace("${ORIGIN}", "/" + posixpath.dirname(path))
               for p in header.runpath]  # fmt: skip
        for folder in (*own, *self._folders):
            final, links = self.resolve(posixpath.normpath(f"{folder}/{name}"))
            if final:
                return [*links, final]
        raise self._missing(name, path)

    def _found(self, wanted: str, path: str) -> list[str]:
        final, links = self.resolve(wanted)
        if not final:
            raise self._missing(wanted, path)
        return [*links, final]

    def _missing(self, wanted: str, path: str) -> Exception:
        package = self._unpacked.owners.get(path, "")
        return error(
            "F144",
            f"/{path} (package {package}) needs {wanted}, which no unpacked package has",
            help="add the package that has it to `packages`, or take it out of `without`",
        )
