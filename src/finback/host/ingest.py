"""Bytes on their way into the store: hashed, counted and bounded while they are written."""

from __future__ import annotations

import hashlib
import io
import os
from typing import Any

from finback.ground.diagnostic import error
from finback.ground.digest import Digest


class WholeFile(io.FileIO):
    """A file without a buffer whose writes are whole: a plain one takes what there is room for and says how much."""

    def write(self, data: Any) -> int:
        """Write all of *data*.

        Raises:
            OSError: there is no room for all of it.

        """
        view = memoryview(data).cast("B")
        size = len(view)
        while view:
            view = view[super().write(view) :]
        return size


class Ingest:
    """Bytes on their way into the store. `digest` and `size` are known once the block has ended."""

    def __init__(self, handle: int, algorithm: str, limit: int | None) -> None:
        self._out = WholeFile(handle, "wb")
        self._hash = hashlib.new(algorithm)
        self._limit = limit
        self.size = 0
        self.digest = Digest("sha256", "0" * 64)

    def write(self, chunk: bytes | memoryview) -> None:
        """Append *chunk*.

        Raises:
            FinbackError: F302, there is more than was allowed.

        """
        self.size += len(chunk)
        if self._limit is not None and self.size > self._limit:
            raise error(
                "F302",
                f"more than the {self._limit} bytes that were announced",
                help="what sent it is faulty or hostile",
            )
        self._hash.update(chunk)
        self._out.write(chunk)

    def finish(self) -> None:
        """Compute the digest, and have the bytes on the disk before they get their name."""
        self.digest = Digest(self._hash.name, self._hash.hexdigest())
        os.fsync(self._out.fileno())

    def close(self) -> None:
        """Close the file; this frees its lock."""
        self._out.close()
