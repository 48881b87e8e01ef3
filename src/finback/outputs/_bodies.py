"""Files of an archive that are made of several stretches.

An entry has one content. What stands for a file here is a slice of a blob that nobody stores; whoever reads it gets the
stretches.
"""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.system import Contents
from finback.codec import disk
from finback.codec.disk import Disk
from finback.ground.digest import Digest
from finback.tree.content import Content, Reader, Slice


class Bodies:
    """The stretches of some files, by what stands for them."""

    def __init__(self) -> None:
        self._bodies: dict[Digest, Disk] = {}

    def add(self, name: str, body: Disk) -> Slice:
        """What stands for the file called *name*."""
        blob = Digest.of(f"the file {name}, which is no blob".encode())
        self._bodies[blob] = body
        return Slice(blob, 0, disk.size(body))

    def reader(self, contents: Contents) -> Reader:
        """Gives the bytes of these files, and of all that *contents* has."""

        def read(content: Content) -> Iterator[bytes | memoryview]:
            if isinstance(content, Slice) and content.blob in self._bodies:
                return disk.content(self._bodies[content.blob], contents.read)
            return contents.read(content)

        return read
