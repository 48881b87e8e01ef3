"""The root file system as one tar, each entry saying what put it there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from finback.assemble.system import Contents, Piece, System
from finback.codec import tar
from finback.outputs import Format, Options, Written
from finback.tree.content import Inline
from finback.tree.entry import AnyEntry, Directory, File, HardLink, Symlink

TAR = "application/x-tar"


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry of the final tree, and what put it there."""

    entry: AnyEntry
    source: str
    """What LINUXKIT.source says."""
    location: str
    """What LINUXKIT.location says."""
    part: int
    """The number of the part, from 0; -1 for the kernel's own files."""


def tree(system: System, contents: Contents) -> list[Placed]:
    """The final tree with the kernel's own files, sorted.

    Each path comes once, from the last part that has it, every directory before what is in it and every hard link after
    its target.
    """
    last: dict[str, Placed] = {}
    # What each part's files hold, for links whose first name another part takes.
    files: dict[tuple[int, str], File] = {}
    for entry in _boot(system):
        last[entry.path] = Placed(entry, system.boot.source if system.boot else "", "kernel", -1)
    for number, part in enumerate(system.parts):
        for entry in contents.entries(part):
            if isinstance(entry, HardLink):
                target = files[number, entry.target]
                files[number, entry.path] = replace(target, path=entry.path)
            elif isinstance(entry, File):
                files[number, entry.path] = entry
            _lay(last, Placed(entry, part.source, part.location, number))
    return [_mended(last[p], last, files) for p in sorted(last, key=lambda p: p.split("/"))]


def _lay(last: dict[str, Placed], new: Placed) -> None:
    """Put *new* over what is there. A directory that gives way takes with it what is in it."""
    old = last.get(new.entry.path)
    if old is not None and isinstance(old.entry, Directory) and not isinstance(new.entry, Directory):
        below = new.entry.path + "/"
        if isinstance(new.entry, Symlink) and any(p.startswith(below) for p in last):
            # As the kernel does it: what is not empty stays.
            return
        for path in [p for p in last if p.startswith(below)]:
            del last[path]
    last[new.entry.path] = new


def _mended(placed: Placed, last: dict[str, Placed], files: dict[tuple[int, str], File]) -> Placed:
    """A hard link whose target another part has replaced, as the file that it was."""
    entry = placed.entry
    if isinstance(entry, HardLink):
        target = last.get(entry.target)
        if target is None or target.part != placed.part:
            return replace(placed, entry=files[placed.part, entry.path])
    return placed


def _boot(system: System) -> Iterator[AnyEntry]:
    boot = system.boot
    if boot is None:
        return
    yield Directory(path="boot", mtime=system.epoch)
    yield File(path="boot/cmdline", content=Inline(boot.cmdline.encode()), mtime=system.epoch)
    yield File(path="boot/kernel", mode=boot.kernel_mode, content=boot.kernel, mtime=system.epoch)
    if boot.microcode is not None:
        yield File(path="boot/ucode.cpio", content=boot.microcode, mtime=system.epoch)


def archive(
    system: System, contents: Contents, extra: Callable[[list[Placed]], Iterable[AnyEntry]] | None = None
) -> Iterator[Piece]:
    """The tar, with the entries that *extra* makes for the tree, which carry no records, at its end.

    Source of the records: compat 2.2.
    """
    placed = tree(system, contents)
    records = {p.entry.path: {"LINUXKIT.source": p.source, "LINUXKIT.location": p.location} for p in placed}
    more = list(extra(placed)) if extra else []
    for entry in more:
        records.pop(entry.path, None)
    own = {e.path for e in more}
    entries = [p.entry for p in placed if p.entry.path not in own] + more
    for chunk in tar.encode(entries, contents.read, lambda e: records.get(e.path, {})):
        yield bytes(chunk)


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    del options
    yield Written(suffix=".tar", role="rootfs", media_type=TAR, body=lambda: archive(system, contents))


FORMAT = Format(write=write, root="", ways=(), streamable=True)
