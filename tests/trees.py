"""Trees made by hypothesis, and what a mounted or unpacked file system holds, to be compared with them."""

from __future__ import annotations

import errno
import os
import random
import stat
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from finback.tree.content import Content, Inline
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Socket, Symlink

# Around the sizes at which writers change their mind: slots, blocks of 4 KiB, 128 KiB and 1 MiB.
SIZES = [0, 1, 100, 4031, 4032, 4033, 4064, 4065, 4095, 4096, 4097, 8192, 131071, 131072, 131073, 300000, 1 << 20]
KINDS = {Directory: stat.S_IFDIR, File: stat.S_IFREG, Symlink: stat.S_IFLNK, Fifo: stat.S_IFIFO, Socket: stat.S_IFSOCK}


class Body(Inline):
    """Contents that hypothesis names in a line, whatever they hold: it would print a megabyte, and then refuse to."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(f"<{self.size} bytes, SHA-256 {sha256(self.data).hexdigest()[:12]}>")


def content(size: int, pattern: int) -> Content:
    """Zeros, something repeated, noise, or noise between holes."""
    noise = random.Random(pattern)
    if pattern == 0:
        return Body(bytes(size))
    if pattern < 3:
        return Body((b"finback %d " % pattern * (size // 8 + 1))[:size])
    if pattern < 6:
        return Body(noise.randbytes(size))
    return Body((noise.randbytes(size // 4) + bytes(size // 2) + noise.randbytes(size))[:size])


NAMES = st.one_of(
    st.binary(min_size=1, max_size=255).filter(lambda b: b not in (b".", b"..") and not {0, 47} & set(b)),
    st.text(alphabet="ab.-é\n ", min_size=1, max_size=6).map(str.encode).filter(lambda b: b not in (b".", b"..")),
).map(lambda b: b.decode("utf-8", "surrogateescape"))
NUMBERS = st.sampled_from([0, 1, 1000, 65535, 65536, 2**32 - 2])
# The kernel has user attributes for files and directories only.
PLAIN = st.sampled_from(["trusted.a", "security.finback", "trusted." + "n" * 200])
ANY = st.one_of(PLAIN, st.sampled_from(["user.a", "user.b.c", "user." + "u" * 200]))
VALUES = st.one_of(st.binary(max_size=40), st.just(b"v" * 2000), st.just(b"shared by many"))


def _xattrs(names: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[tuple[str, bytes], ...]]:
    return st.dictionaries(names, VALUES, max_size=3).map(lambda d: tuple(sorted(d.items())))


@st.composite
def trees(draw: st.DrawFn) -> list[AnyEntry]:
    """Entries, each after its directory."""
    made: list[AnyEntry] = []
    folders, files = [""], []
    taken: set[str] = set()
    for _ in range(draw(st.integers(0, 25))):
        parent = draw(st.sampled_from(folders))
        path = f"{parent}/{draw(NAMES)}".lstrip("/") if parent else draw(NAMES)
        if path in taken:
            continue
        taken.add(path)
        kind = draw(
            st.sampled_from(["directory", "file", "file", "file", "symlink", "hard", "device", "fifo", "socket"])
        )
        common: dict[str, Any] = {
            "path": path, "mode": draw(st.sampled_from([0, 0o644, 0o755, 0o1777, 0o4755, 0o7777])),
            "uid": draw(NUMBERS), "gid": draw(NUMBERS), "mtime": draw(st.sampled_from([0, 1, 1000, 2**31, 2**32 - 1])),
            "xattrs": draw(_xattrs(ANY if kind in ("directory", "file") else PLAIN)),
        }  # fmt: skip
        if kind == "directory":
            made.append(Directory(**common))
            folders.append(path)
        elif kind == "file" or (kind == "hard" and not files):
            body = content(draw(st.sampled_from(SIZES)), draw(st.integers(0, 8)))
            made.append(File(content=body, **common))
            files.append(path)
        elif kind == "symlink":
            target = draw(st.one_of(NAMES, st.sampled_from(["/", "x" * 4000, "../a/b"])))
            made.append(Symlink(target=target, **{**common, "mode": 0o777}))
        elif kind == "hard":
            made.append(HardLink(path=path, target=draw(st.sampled_from(files))))
        elif kind == "device":
            major, minor = draw(st.sampled_from([(0, 0), (1, 3), (8, 255), (8, 256), (259, 4095), (4095, 1048575)]))
            made.append(Device(block=draw(st.booleans()), major=major, minor=minor, **common))
        else:
            made.append(Fifo(**common) if kind == "fifo" else Socket(**common))
    return made


def expected(entries: Iterable[AnyEntry], *, xattrs: bool = True) -> dict[bytes, tuple[Any, ...]]:
    """What `found` must give for *entries* of inline contents."""
    files: dict[str, AnyEntry] = {}
    names: dict[str, list[str]] = {}
    for entry in entries:
        head = entry.target if isinstance(entry, HardLink) else entry.path
        files.setdefault(head, entry)
        names.setdefault(head, []).append(entry.path)
    out: dict[bytes, tuple[Any, ...]] = {}
    for head, paths in names.items():
        entry = files[head]
        if isinstance(entry, Device):
            kind, what = (stat.S_IFBLK if entry.block else stat.S_IFCHR), (entry.major, entry.minor)
        else:
            kind, what = KINDS[type(entry)], None
        if isinstance(entry, File):
            assert isinstance(entry.content, Inline)
            what = (entry.content.size, sha256(entry.content.data).hexdigest())
        elif isinstance(entry, Symlink):
            what = entry.target.encode("utf-8", "surrogateescape")
        links = None if isinstance(entry, Directory) else len(paths)
        about = (kind | entry.mode, entry.uid, entry.gid, entry.mtime, links, what, entry.xattrs if xattrs else ())
        out.update((p.encode("utf-8", "surrogateescape"), about) for p in paths)
    return out


def found(root: Path, *, xattrs: bool = True) -> dict[bytes, tuple[Any, ...]]:
    """All that is below *root*, by path."""
    out = {}
    top = os.fsencode(root)
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            about = os.lstat(path)
            kind, what = stat.S_IFMT(about.st_mode), None
            if kind == stat.S_IFREG:
                what = (about.st_size, _hash(path))
            elif kind == stat.S_IFLNK:
                what = os.readlink(path)
            elif kind in (stat.S_IFCHR, stat.S_IFBLK):
                what = (os.major(about.st_rdev), os.minor(about.st_rdev))
            links = None if kind == stat.S_IFDIR else about.st_nlink
            attributes = _attributes(path) if xattrs else ()
            times = (about.st_mode, about.st_uid, about.st_gid, int(about.st_mtime), links, what, attributes)
            out[os.path.relpath(path, top)] = times
    return out


def _hash(path: bytes) -> str:
    with open(path, "rb") as stream:
        return sha256(stream.read()).hexdigest()


def _attributes(path: bytes) -> tuple[tuple[str, bytes], ...]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as failure:
        # What a SquashFS says that has none at all.
        if failure.errno != errno.EOPNOTSUPP:
            raise
        return ()
    return tuple(sorted((n, os.getxattr(path, n, follow_symlinks=False)) for n in names))
