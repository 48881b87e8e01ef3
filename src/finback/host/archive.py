"""Files and folders of this machine as tar archives, and back: for what comes from a guest and what goes there.

An archive that comes from outside can't reach beyond the folder that it is unpacked in: a member's folder must be one
that the archive itself has made, and what is there already is not touched.

Source: tar(5), "GNU tar archives"; POSIX.1-2008, pax.
"""

from __future__ import annotations

import os
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from finback.codec import tar
from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.host.file import failed
from finback.tree.content import Slice
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Symlink

LIMIT = 64 << 30
MAX_ENTRIES = 1_000_000
# The contents are read from the archive by their place; nothing asks for a blob.
NO_BLOB = Digest.of(b"")
PIECE = 1 << 20
# What comes from a guest may be owned by anybody; only root can give files away.
ROOT = 0


def pack(path: Path, name: str, out: BinaryIO) -> None:
    """Write *path*, and all below it, as an archive whose topmost entry is *name*.

    Raises:
        FinbackError: F404 something can't be read, F405 any other trouble, F542 it has what archives can't.

    """
    try:
        # Numbers of owners count, not their names here; GNU's form is what busybox reads.
        with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
            archive.add(path, arcname=name, filter=_packed)
    except OSError as failure:
        raise failed(Path(failure.filename or path), failure) from None
    except (tarfile.TarError, ValueError) as failure:
        raise error("F542", f"{path} can't be sent: {failure}", help="leave out what is odd in it") from None


def _packed(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uname = member.gname = ""
    return member


def unpack(source: BinaryIO, folder: Path) -> Path:
    """Unpack the archive in *source*, which is seekable and has one topmost entry, into the empty *folder*; where that
    entry is.

    Modes and times are kept, owners where this user may give files away. The bits by which a program runs as its owner
    or group are not: what was root in a guest must not become root here.

    Raises:
        FinbackError: F542 it is no such archive, F543 it is too large, F403, F404 or F405 it can't be written.

    """
    made = _Made(source, folder)
    try:
        for entry in tar.decode(source, NO_BLOB):
            made.add(entry)
        made.settle()
    except OSError as failure:
        raise failed(folder, failure) from None
    except ValueError as failure:
        raise error(
            "F542", f"what came is no whole archive: {failure}", help="try again, or copy parts of it"
        ) from None
    tops = list(folder.iterdir())
    if len(tops) != 1:
        raise error("F542", f"what came has {len(tops)} topmost entries", help="copy one file or folder at a time")
    return tops[0]


class _Made:
    """What of an archive has been made in a folder so far."""

    def __init__(self, source: BinaryIO, folder: Path) -> None:
        self._source = source
        self._folders: dict[str, Path] = {"": folder}
        self._files: dict[str, Path] = {}
        self._settle: list[tuple[Path, AnyEntry]] = []
        self._left = LIMIT

    def add(self, entry: AnyEntry) -> None:
        """Make one more entry."""
        above, _, name = entry.path.rpartition("/")
        if len(self._settle) >= MAX_ENTRIES:
            raise error("F543", f"it has more than {MAX_ENTRIES} entries", help="copy parts of it")
        if not name or above not in self._folders:
            raise _odd(entry)
        place = self._folders[above] / name
        match entry:
            case Directory():
                place.mkdir(mode=0o700)
                self._folders[entry.path] = place
            case Symlink():
                place.symlink_to(entry.target)
            case HardLink() if entry.target in self._files:
                os.link(self._files[entry.target], place)
            case File(content=Slice() as content):
                self._write(content, place)
                self._files[entry.path] = place
            case Fifo():
                os.mkfifo(place, 0o600)
            case Device():
                raise error("F542", f"{entry.path} is a device", help="copy what lies around it")
            case _:
                raise _odd(entry)
        self._settle.append((place, entry))

    def settle(self) -> None:
        """Give everything its owner, mode and time: the innermost first, for writing changes a folder's time."""
        for place, entry in reversed(self._settle):
            if os.geteuid() == ROOT:
                with suppress(OverflowError):
                    os.lchown(place, entry.uid, entry.gid)
            if isinstance(entry, Symlink):
                continue
            kept = 0o1777 if isinstance(entry, Directory) and os.geteuid() == ROOT else 0o777
            place.chmod(entry.mode & kept)
            with suppress(OSError, OverflowError):
                os.utime(place, (entry.mtime, entry.mtime))

    def _write(self, content: Slice, place: Path) -> None:
        self._left -= content.size
        if self._left < 0:
            raise error("F543", f"it is larger than {LIMIT >> 30} GiB", help="copy parts of it")
        self._source.seek(content.offset)
        with place.open("xb") as out:
            left = content.size
            while left and (piece := self._source.read(min(left, PIECE))):
                out.write(piece)
                left -= len(piece)


def _odd(entry: AnyEntry) -> FinbackError:
    return error("F542", f"what came has an odd entry, {entry.path!r}", help="copy parts of it")
