"""Binary packages: the file system inside, and the control fields. Nothing of a package is ever executed.

Subset: format 2.0 with members compressed by xz, gzip, zstd or not at all, which is all that Debian and its descendants
have used since 2013. Specification: deb(5).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from finback.codec import ar
from finback.codec.decompress import decompress
from finback.debian import control
from finback.ground.diagnostic import FinbackError, error

# No package of Debian unpacks to more; a bomb would.
DATA_LIMIT = 16 << 30
CONTROL_LIMIT = 64 << 20


def unpack_data(stream: BinaryIO, name: str, out: BinaryIO) -> int:
    """Decompress the file system archive (a tar) of the package in *stream* to *out*; the number of bytes.

    *stream* must be seekable. Memory stays at a few MiB, however large the package.

    Raises:
        FinbackError: F134, it is not a package, or is cut short or damaged.

    """
    size = 0
    try:
        for chunk in _member(stream, "data.tar", DATA_LIMIT):
            size += len(chunk)
            out.write(chunk)
    except (ValueError, EOFError) as failure:
        raise _bad(name, failure) from None
    return size


def fields(stream: BinaryIO, name: str) -> dict[str, str]:
    """The package's control fields.

    Raises:
        FinbackError: F134, it is not a package, or is cut short or damaged.

    """
    import tarfile

    try:
        data = b"".join(_member(stream, "control.tar", CONTROL_LIMIT))
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                found = archive.extractfile(member) if member.name in ("./control", "control") else None
                if found is not None:
                    return control.paragraph(found.read(1 << 20).decode("utf-8", "replace").rstrip().splitlines())
    except (ValueError, EOFError, KeyError, tarfile.TarError) as failure:
        raise _bad(name, failure) from None
    raise _bad(name, ValueError("no control file"))


def _member(stream: BinaryIO, wanted: str, limit: int) -> Iterator[bytes]:
    """The decompressed bytes of the member whose name is *wanted* and a suffix for its compression."""
    for number, member in enumerate(ar.members(stream)):
        if number == 0:
            _check_format(stream, member)
        if member.name.startswith(wanted):
            window = _Window(stream, member.offset, member.size)
            try:
                yield from decompress(window.read, member.name[len(wanted) :], limit)
            except ValueError as failure:
                raise ValueError(f"{wanted} {failure}") from None
            return
    raise ValueError(f"no {wanted}")


def _check_format(stream: BinaryIO, member: ar.Member) -> None:
    version = _Window(stream, member.offset, min(member.size, 64)).read(64)
    if member.name != "debian-binary" or not version.startswith(b"2."):
        raise ValueError("not a package of format 2")


class _Window:
    """A stretch of a stream, read from its start to its end, wherever others move the stream meanwhile."""

    def __init__(self, stream: BinaryIO, offset: int, size: int) -> None:
        self._stream, self._offset, self._left = stream, offset, size

    def read(self, size: int) -> bytes:
        self._stream.seek(self._offset)
        data = self._stream.read(min(size, self._left))
        self._offset += len(data)
        self._left -= len(data)
        return data


def _bad(name: str, failure: Exception) -> FinbackError:
    return error("F134", f"package {name} is faulty: {failure}", help="use another mirror, or report it to Debian")
