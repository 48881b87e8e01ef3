"""Whether a program can be started: it is there, may be executed, is for this machine, and has what it needs.

A library counts as there when the image has a file of its name anywhere: which folders the loader looks into depends on
its cache, its configuration and the environment. musl's own library stands for several of glibc's.

Source: execve(2), ld.so(8); musl's ldso/dynlink.c, load_library.
"""

from __future__ import annotations

import difflib
import posixpath
from dataclasses import dataclass, replace

from finback.assemble.view import View
from finback.codec import elf
from finback.ground.platform import Platform
from finback.oci.configuration import DEFAULT_PATH
from finback.tree.entry import File

SCRIPT_HEAD = 256
# So many programs are named where one is missing.
NEAR = 6
DEPTH = 5
MUSL = tuple(f"lib{name}." for name in ("c", "pthread", "rt", "m", "dl", "util", "xnet"))
# Machines whose programs a kernel runs beside its own.
ALSO = {"amd64": (3,), "arm64": (40,)}
MACHINES = {3: "i386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "amd64", 183: "arm64",
            243: "riscv64", 258: "loong64"}  # fmt: skip
# Mounts here bring no libraries.
PLAIN = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var", "/etc", "/home", "/root", "/mnt", "/srv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program to be started."""

    name: str
    path: str = DEFAULT_PATH
    """The PATH of its environment: where a name without a slash is looked for."""
    cwd: str = "/"
    script: bool = False
    """Whether it is a script that another program reads: it need not be executable."""
    covered: tuple[str, ...] = ()
    """Mount points: what is below them is not known."""
    platform: Platform

    def hidden(self, path: str) -> bool:
        """Whether *path* lies in what is not known."""
        return any(path == c or path.startswith(f"{c.rstrip('/')}/") for c in self.covered)


def trouble(view: View, program: Program, depth: int = 0) -> list[str]:
    """Why *program* can't be started: a word for the kind of trouble, and what it is about; of a program that is absent
    also what may be meant. [] when it can, or when that is not known.
    """
    unfit = ""
    for place in _places(program):
        final = "/" + view.resolve(place)
        if program.hidden(place) or program.hidden(final):
            return []
        found = view.find(place)
        if isinstance(found, File) and program.script:
            return []
        if isinstance(found, File) and found.mode & 0o111:
            return _starts(view, program, final, found, depth)
        if found is not None and not unfit:
            unfit = place
    return ["mode", unfit] if unfit else ["absent", program.name, *_near(view, program.name)]


def _places(program: Program) -> list[str]:
    here = posixpath.normpath(posixpath.join("/", program.cwd, program.name))
    if "/" in program.name:
        return [here]
    found = [posixpath.join("/", folder, program.name) for folder in program.path.split(":") if folder]
    return [here, *found] if program.script else found


def _near(view: View, name: str) -> list[str]:
    """The programs of the image that may be meant: those of the same name elsewhere or of a close one, else all if they
    are few. Further names of one file, such as busybox's, count only when they are close.
    """
    wanted = posixpath.basename(name)
    places = dict(view.programs())
    same = [p for p in places if posixpath.basename(p) == wanted]
    if same:
        return same[:NEAR]
    by_name = {posixpath.basename(p): p for p in sorted(places, reverse=True)}
    close = [by_name[n] for n in difflib.get_close_matches(wanted, by_name, NEAR)]
    own = [p for p, f in places.items() if p == f"/{f.path}" and "/lib/" not in p]
    return [*close, *(p for p in own if p not in close)][:NEAR]


def _starts(view: View, program: Program, path: str, file: File, depth: int) -> list[str]:
    head = view.data(file, 0, SCRIPT_HEAD)
    if head[:2] == b"#!":
        return _script(view, program, path, head, depth)
    if head[:4] != elf.MAGIC:
        return ["format", path]
    return _needs(view, program, path, file)


def _script(view: View, program: Program, path: str, head: bytes, depth: int) -> list[str]:
    words = head.split(b"\n", 1)[0][2:].decode("utf-8", "surrogateescape").split()
    if not words or depth == DEPTH:
        return ["format", path]
    wanted = [words[0]]
    if posixpath.basename(words[0]) == "env":
        wanted += [w for w in words[1:2] if not w.startswith("-") and "=" not in w]
    for name in wanted:
        found = trouble(view, replace(program, name=name, cwd="/"), depth + 1)
        if found:
            return ["interpreter", name, path] if found[0] == "absent" else found
    return []


def _needs(view: View, program: Program, path: str, file: File) -> list[str]:
    try:
        header = elf.read(lambda offset, size: view.data(file, offset, size))
    except ValueError:
        return ["format", path]
    architecture = program.platform.architecture
    if header.machine not in (program.platform.names.elf_machine, *ALSO.get(architecture, ())):
        return ["machine", path, MACHINES.get(header.machine, f"machine {header.machine}"), architecture]
    if header.interpreter and not view.exists(header.interpreter) and not program.hidden(header.interpreter):
        return ["interpreter", header.interpreter, path]
    if any(not c.startswith(PLAIN) for c in program.covered):
        return []
    return _libraries(view, path, header)


def loaded(view: View, path: str) -> list[str]:
    """What the program at *path* has loaded when it starts: its interpreter's path and the names of its libraries. []
    where there is no such program, or it needs nothing.
    """
    file = view.find(path)
    if not isinstance(file, File) or not file.mode & 0o111 or view.data(file, 0, 4) != elf.MAGIC:
        return []
    try:
        header = elf.read(lambda offset, size: view.data(file, offset, size))
    except ValueError:
        return []
    names = [posixpath.basename(name) for name in header.needed]
    return [header.interpreter, *names] if header.interpreter else names


def _libraries(view: View, path: str, header: elf.Elf) -> list[str]:
    musl = "musl" in header.interpreter or any(view.named("libc.so")) or any(view.named("libgcompat.so.0"))
    seen: set[str] = set()
    waiting = [(path, name) for name in header.needed]
    while waiting:
        needer, wanted = waiting.pop()
        name = posixpath.basename(wanted)
        if name in seen:
            continue
        seen.add(name)
        found = next(view.named(name), None)
        if found is None:
            if musl and name.startswith(MUSL):
                continue
            return ["library", name, needer]
        try:
            needs = elf.read(lambda offset, size, f=found: view.data(f, offset, size)).needed  # type: ignore[misc]
        except ValueError:
            return ["format", f"/{found.path}"]
        waiting += [(f"/{found.path}", n) for n in needs]
    return []
