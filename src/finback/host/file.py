"""Files: read with a bound, written whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from finback.ground.diagnostic import FinbackError, error
from finback.host import beside
from finback.host.ingest import WholeFile
from finback.host.store import CHUNK, Store
from finback.tree.content import Slice


def failed(path: Path, failure: OSError) -> FinbackError:
    """What to tell the user about an operating system error at *path*."""
    reason = failure.strerror or str(failure)
    if failure.errno in (errno.ENOSPC, errno.EDQUOT):
        return error("F403", f"no space left for {path}", help="free some space; nothing half-written was left")
    if isinstance(failure, FileNotFoundError):
        return error("F410", f"there is no file {path}", help="check the path")
    if isinstance(failure, PermissionError) or failure.errno == errno.EROFS:
        return error("F404", f"{path}: {reason}", help="choose a place that you may use, or mend its permissions")
    return error("F405", f"{path}: {reason}", help="check the path and the file system")


def _make_folder(path: Path) -> None:
    """Make the folder *path* for outputs, where there is none.

    Raises:
        FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise error("F405", f"{path} is no folder, or lies below a file", help="name another folder") from None
    except FileNotFoundError as failure:
        raise error(
            "F405", f"the folder {path} can't be made: {failure.strerror}", help="name another folder"
        ) from None
    except OSError as failure:
        raise failed(path, failure) from None


def read(path: Path, *, limit: int) -> bytes:
    """The content of *path*.

    Raises:
        FinbackError: F410 there is none, F404 or F405 it can't be read, F411 it is larger than *limit* bytes.

    """
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as failure:
        raise failed(path, failure) from None
    return _bounded(data, str(path), limit)


def read_stdin(*, limit: int) -> bytes:
    """All of standard input.

    Raises:
        FinbackError: F411, it is larger than *limit* bytes.

    """
    return _bounded(sys.stdin.buffer.read(limit + 1), "standard input", limit)


def _bounded(data: bytes, name: str, limit: int) -> bytes:
    if len(data) > limit:
        raise error("F411", f"{name} is larger than {limit} bytes", help="this is more than such a file may have")
    return data


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """A file that appears at *path* when the block ends well, and not at all when it doesn't.

    A symbolic link is followed. What is no regular file (`/dev/null`, a pipe) is written as it is, not replaced.

    Raises:
        FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

    """
    with staging() as stage:
        with stage.writing(path) as out:
            yield out
        stage.publish()


class Stage:
    """Files that appear together: each is written under a hidden name, and all get their names in `publish`."""

    def __init__(self) -> None:
        self._hidden: dict[Path, tuple[Path, int]] = {}
        """By the path that the file will have: its path now, and the handle that holds its lock."""

    @contextmanager
    def writing(self, path: Path) -> Iterator[BinaryIO]:
        """A file that `publish` will put at *path*. What is no regular file is written at once, as it is.

        Raises:
            FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

        """
        path = Path(os.path.realpath(path))
        try:
            if is_special(path):
                with WholeFile(path, "wb") as out:
                    yield cast("BinaryIO", out)
                return
            _make_folder(path.parent)
            handle = self._begin(path)
            with WholeFile(handle, "wb") as out:
                yield cast("BinaryIO", out)
                out.flush()
                os.fsync(out.fileno())
        except OSError as failure:
            raise failed(path, failure) from None

    def hidden(self, path: Path) -> Path:
        """Where the file that will be at *path* is meanwhile."""
        return self._hidden[Path(os.path.realpath(path))][0]

    def copy(self, path: Path, second: Path) -> None:
        """Let the file that will be at *path* have the name *second* as well: as a link where there can be one.

        Raises:
            FinbackError: as `writing`.

        """
        source, second = self.hidden(path), Path(os.path.realpath(second))
        try:
            os.close(self._begin(second))
            target = self._hidden[second][0]
            target.unlink()
            try:
                target.hardlink_to(source)
            except OSError:
                # The file system has no links.
                shutil.copyfile(source, target)
        except OSError as failure:
            raise failed(second, failure) from None

    def publish(self) -> None:
        """Give all files their names.

        Raises:
            FinbackError: F404 or F405, a file can't be replaced; all that was there is there still.

        """
        try:
            beside.publish((hidden, path) for path, (hidden, _) in self._hidden.items())
        except OSError as failure:
            raise failed(Path(failure.filename2 or failure.filename or "output"), failure) from None

    def discard(self) -> None:
        """Remove what has not been published."""
        for hidden, guard in self._hidden.values():
            hidden.unlink(missing_ok=True)
            os.close(guard)
        self._hidden.clear()

    def _begin(self, path: Path) -> int:
        """A new hidden file for *path*; a handle to write it by, which may be closed."""
        beside.sweep(path.parent, lambda name: name == path.name)
        hidden, handle = beside.make(path)
        if path in self._hidden:
            # Two formats write the same file; the last one counts.
            old, guard = self._hidden[path]
            old.unlink(missing_ok=True)
            os.close(guard)
        self._hidden[path] = (hidden, handle)
        return os.dup(handle)


@contextmanager
def staging() -> Iterator[Stage]:
    """Files that appear together when the block calls `Stage.publish`; what was not published is removed after it."""
    stage = Stage()
    try:
        yield stage
    finally:
        stage.discard()


def is_special(path: Path) -> bool:
    """Whether there is something at *path* that is neither a file nor a folder, such as `/dev/null` or a pipe."""
    return path.exists() and not path.is_file() and not path.is_dir()


def skip(out: BinaryIO, size: int) -> None:
    """Write *size* zero bytes: as a hole, where *out* can have one.

    Raises:
        OSError: *out* can't be written.

    """
    if _is_regular(out):
        out.flush()
        # Not over what is there already: a hole must read as zeros.
        if out.tell() >= os.fstat(out.fileno()).st_size:
            out.truncate(out.seek(size, os.SEEK_CUR))
            return
    zeros = memoryview(bytes(min(size, CHUNK)))
    while size:
        size -= out.write(zeros[: min(size, CHUNK)])


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """*path*, open for reading.

    Raises:
        FinbackError: F410 there is none, F404 or F405 it can't be read.

    """
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as failure:
        raise failed(path, failure) from None


@contextmanager
def opened_regular(path: Path) -> Iterator[BinaryIO | None]:
    """The regular file *path*, open for reading; None when it is a symbolic link or anything else but a regular file.

    Nothing is waited for, as opening a pipe would, and nothing is set off, as opening a device can.

    Raises:
        FinbackError: F410 there is none, F404 or F405 it can't be read.

    """
    number = -1
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        if not stat.S_ISREG(os.fstat(number).st_mode):
            yield None
            return
        with open(number, "rb", closefd=False) as stream:
            yield stream
    except OSError as failure:
        if number < 0 and failure.errno in (errno.ELOOP, errno.ENXIO):
            yield None
            return
        raise failed(path, failure) from None
    finally:
        if number >= 0:
            os.close(number)


def size(path: Path) -> int:
    """The size of the file *path* in bytes; 0 when it is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def tail(path: Path, start: int) -> bytes:
    """What the file *path* has from the byte *start* on; nothing when it is not there."""
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            return stream.read()
    except OSError:
        return b""


def truncate(path: Path, length: int) -> None:
    """Cut the file *path* down to *length* bytes.

    Raises:
        FinbackError: F404 not permitted, F405 any other trouble.

    """
    try:
        os.truncate(path, length)
    except OSError as failure:
        raise failed(path, failure) from None


@contextmanager
def spool() -> Iterator[BinaryIO]:
    """A file without a name, to write to and then to read from.

    Raises:
        FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

    """
    try:
        with tempfile.TemporaryFile() as out:
            yield cast("BinaryIO", out)
    except OSError as failure:
        raise failed(Path(failure.filename or tempfile.gettempdir()), failure) from None


def send(path: Path, out: BinaryIO) -> None:
    """Write the content of *path* to a stream.

    Raises:
        FinbackError: F404 or F405, *path* can't be read.
        OSError: *out* can't be written.

    """
    with opened(path) as source:
        descriptor = os.dup(source.fileno())
    # Trouble with the stream is not trouble with the file.
    with open(descriptor, "rb") as source:
        while chunk := source.read(CHUNK):
            view = memoryview(chunk)
            while view:
                # A raw stream may take less than it is given.
                view = view[out.write(view) :]


def rename(path: Path, target: Path) -> None:
    """Give *path* the name *target*; a file that is there is replaced.

    Raises:
        FinbackError: F404 not permitted, F405 any other trouble.

    """
    try:
        path.replace(target)
    except OSError as failure:
        raise failed(target, failure) from None


@contextmanager
def unnamed(data: bytes) -> Iterator[int]:
    """The file descriptor of a file without a name that has *data*, from its beginning."""
    with tempfile.TemporaryFile() as out:
        out.write(data)
        out.seek(0)
        yield out.fileno()


@contextmanager
def scratch_file(path: Path) -> Iterator[BinaryIO]:
    """A new file in a scratch folder.

    Raises:
        FinbackError: F403 no space, F404 not permitted, F405 any other trouble.

    """
    try:
        with path.open("xb") as stream:
            yield stream
    except OSError as failure:
        raise failed(path, failure) from None


def append_verified(store: Store, out: BinaryIO, slices: Sequence[Slice]) -> None:
    """Append stretches of stored blobs to *out*, and check the blobs while that goes on.

    Each blob is hashed in a thread beside the copying, and the copy is put on the disk while the last hashes are made.
    When a blob turns out to be damaged the output is worthless, which is why this is only used on files that have not
    appeared yet.

    Raises:
        FinbackError: F401 a blob is damaged and has been removed, F402 one is not there, F406 a slice does not lie in
            its blob.
        OSError: *out* can't be written.

    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(2)
    # What is still in a buffer comes before what goes to the file beside it.
    out.flush()
    try:
        checks = [pool.submit(store.verified, blob) for blob in dict.fromkeys(s.blob for s in slices)]
        trouble: Exception | None = None
        try:
            for piece in slices:
                _append(store, out, piece)
            _settle(out)
        except (FinbackError, OSError) as failure:
            trouble = failure
        for check in checks:
            # First: damage to a blob is the reason for whatever else went wrong with it.
            check.result()
        if trouble is not None:
            raise trouble
    finally:
        pool.shutdown(cancel_futures=True)


def _append(store: Store, out: BinaryIO, piece: Slice) -> None:
    try:
        source = store.path(piece.blob).open("rb", buffering=0)
    except FileNotFoundError:
        # The check beside this says so.
        return
    with source:
        if not _copy(source.fileno(), out, piece):
            raise store.misfit(piece)


def _copy(source: int, out: BinaryIO, piece: Slice) -> bool:
    """Copy a stretch of *source*; whether there was as much."""
    left, offset = piece.size, piece.offset
    copy_range = getattr(os, "copy_file_range", None)
    while left:
        moved = 0
        if copy_range is not None:
            try:
                moved = copy_range(source, out.fileno(), min(left, 1 << 30), offset)
            except OSError as failure:
                # Across file systems, to a pipe, or on an old kernel; a real error shows again below.
                if failure.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                    raise
                copy_range = None
        if not moved:
            chunk = os.pread(source, min(left, CHUNK), offset)
            if not chunk:
                return False
            moved = len(chunk)
            view = memoryview(chunk)
            while view:
                # A raw stream, such as standard output, may take less than it is given.
                view = view[out.write(view) :]
        left -= moved
        offset += moved
    return True


def _settle(out: BinaryIO) -> None:
    """Put on the disk what was written, where *out* is on a disk."""
    if _is_regular(out):
        os.fsync(out.fileno())


def _is_regular(out: BinaryIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(out.fileno()).st_mode)
    except io.UnsupportedOperation:
        return False


def sha256(path: Path) -> str:
    """The hexadecimal sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
