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

from finback.ground.diagnostic import FinbackError, error
from finback.host.file import failed

LIMIT = 64 << 30
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
    """Unpack an archive with one topmost entry into the empty *folder*; where that entry is. Modes and times are kept,
    owners where this user may give files away.

    Raises:
        FinbackError: F542 it is no such archive, F543 it is too large, F403, F404 or F405 it can't be written.

    """
    folders: dict[str, Path] = {"": folder}
    settle: list[tuple[Path, tarfile.TarInfo]] = []
    files: dict[str, Path] = {}
    left = LIMIT
    try:
        with tarfile.open(fileobj=source, mode="r:", errorlevel=2) as archive:
            for member in archive:
                left -= member.size
                if left < 0:
                    raise error("F543", f"it is larger than {LIMIT >> 30} GiB", help="copy parts of it")
                place = _place(member, folders)
                _make(archive, member, place, (folders, files))
                settle.append((place, member))
        for place, member in reversed(settle):
            _settle(place, member)
    except OSError as failure:
        raise failed(folder, failure) from None
    except (tarfile.TarError, ValueError, EOFError) as failure:
        raise error("F542", f"what came is no whole archive: {failure}", help="try again") from None
    tops = list(folder.iterdir())
    if len(tops) != 1:
        raise error("F542", f"what came has {len(tops)} topmost entries", help="copy one file or folder at a time")
    return tops[0]


def _parts(name: str) -> list[str]:
    return [p for p in name.split("/") if p not in ("", ".")]


def _place(member: tarfile.TarInfo, folders: dict[str, Path]) -> Path:
    parts = _parts(member.name)
    above = folders.get("/".join(parts[:-1]))
    if not parts or ".." in parts or "\0" in member.name or above is None:
        raise _odd(member)
    return above / parts[-1]


def _odd(member: tarfile.TarInfo) -> FinbackError:
    return error("F542", f"what came has an odd entry, {member.name!r}", help="copy parts of it")


def _make(
    archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path, known: tuple[dict[str, Path], dict[str, Path]]
) -> None:
    folders, files = known
    name = "/".join(_parts(member.name))
    if member.isdir():
        place.mkdir(mode=0o700)
        folders[name] = place
    elif member.issym():
        place.symlink_to(member.linkname)
    elif member.islnk():
        target = files.get("/".join(_parts(member.linkname)))
        if target is None:
            raise _odd(member)
        os.link(target, place)
    elif member.isreg():
        content = archive.extractfile(member)
        assert content is not None
        with place.open("xb") as out:
            while piece := content.read(PIECE):
                out.write(piece)
        files[name] = place
    elif member.isfifo():
        os.mkfifo(place, 0o600)
    else:
        raise error("F542", f"{member.name} is a device", help="copy what lies around it")


def _settle(place: Path, member: tarfile.TarInfo) -> None:
    if os.geteuid() == ROOT:
        os.lchown(place, member.uid, member.gid)
    if member.issym():
        return
    # Only root may keep the bits by which a program runs as its owner.
    place.chmod(member.mode & (0o7777 if os.geteuid() == ROOT else 0o777))
    with suppress(OSError, OverflowError):
        os.utime(place, (member.mtime, member.mtime))
