"""Files and folders between this machine and one that runs, over a session: as tar archives, whole or not at all."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import BinaryIO

from finback.app.machine import session
from finback.app.machine.running import Running
from finback.app.machine.session import ENTER
from finback.ground.diagnostic import FinbackError, error
from finback.host import archive, file, folder

FETCH = (
    ENTER
    + """
exec "$@" sh -c '
	path=${0%/}
	[ -e "$path" ] || [ -L "$path" ] || { echo "there is no $0" >&2; exit 1; }
	place=${path%/*}
	cd "${place:-/}" && exec tar -c -f - -- "${path##*/}"
' "$path"
"""
)
# Made beside its place, so that it appears whole; what is there stays.
SEND = (
    """
target=$3
set -- "$1" "$2"
"""
    + ENTER
    + """
exec "$@" sh -c '
	target=$0 name=$1
	[ ! -d "$target" ] || target=${target%/}/$name
	place=${target%/*}
	[ -d "${place:-/}" ] || { echo "there is no folder $place" >&2; exit 1; }
	[ ! -d "$target" ] || { echo "there is a folder $target already" >&2; exit 1; }
	work=$(mktemp -d "$place/.finback.XXXXXX") || exit
	tar -x -p -f - -C "$work" && mv -f "$work/$name" "$target"
	status=$?
	rm -rf "$work"
	exit $status
' "$target" "$path"
"""
)


def fetch(machine: Running, service: str, path: str, target: Path) -> Path:
    """Copy *path* of *machine*, or of the container of *service*, to *target*, or into that when it is a folder.

    Returns:
        Where the copy is.

    Raises:
        FinbackError: F544, the guest can't give it, or something is there already; what `session.execute` raises; F542
            or F543, what came is odd; F403, F404 or F405, it can't be written.

    """
    name = PurePosixPath(path).name
    if not path.startswith("/") or not name:
        raise error("F544", f"{path!r} is not the absolute path of something in the machine", help="begin it with /")
    place = target / name if target.is_dir() else target
    if place.is_dir():
        raise error("F544", f"there is a folder {place} already", help="remove it, or choose another place")
    with file.spool() as out:
        _run(machine, ("sh", "-c", FETCH, "fetch", service, path), None, lambda piece: _spooled(out, piece))
        out.seek(0)
        with folder.scratch(place.absolute().parent) as work:
            made = archive.unpack(out, work)
            file.rename(made, place)
    return place


def send(machine: Running, service: str, source: Path, target: str) -> None:
    """Copy *source* to the path *target* of *machine*, or of the container of *service*; into it when it is a folder.

    Raises:
        FinbackError: F544, the guest can't take it, or a folder is there already; what `session.execute` raises; F404,
            F405 or F542, it can't be read.

    """
    if not target.startswith("/"):
        raise error("F544", f"{target!r} is not an absolute path", help="begin it with /")
    name = source.absolute().name
    with file.spool() as out:
        archive.pack(source, name, out)
        out.seek(0)
        _run(machine, ("sh", "-c", SEND, "send", service, name, target), out.fileno(), lambda _: None)


def _spooled(out: BinaryIO, piece: bytes) -> None:
    out.write(piece)
    if out.tell() > archive.LIMIT:
        raise error("F543", f"it is larger than {archive.LIMIT >> 30} GiB", help="copy parts of it")


def _run(machine: Running, words: tuple[str, ...], source: int | None, output: session.Sink) -> None:
    said = bytearray()
    status = session.execute(
        machine, session.Request(words=words, source=source), output, lambda p: said.extend(p[: 4096 - len(said)])
    )
    if status != 0:
        raise _refused(said.decode("utf-8", "replace").strip() or f"status {status}")


def _refused(why: str) -> FinbackError:
    return error("F544", f"the machine does not copy that: {why}", help="see what is there: finback shell NAME")
