"""The data area: blocks compressed by threads, in the order of the files, with bounded memory.

A file shorter than a block goes into a fragment block with others; a longer one has blocks of its own, the last of them
short. A block of zeros takes no room, and contents that are the same bytes are stored once.

Source: Documentation/filesystems/squashfs.rst, 3.2 Inodes and 3.6 Fragments.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from finback.codec.cut import cut
from finback.codec.squashfs.compressor import Compressor
from finback.tree.content import Content, Reader

NO_FRAGMENT = 0xFFFFFFFF
# In the word that says how long a stored block is.
UNCOMPRESSED = 1 << 24
# Blocks under way for each thread: it never waits for the reader, and memory stays small.
AHEAD = 4


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a file's bytes are."""

    start: int = 0
    sizes: tuple[int, ...] | array[int] = ()
    """What each block takes, with UNCOMPRESSED; 0 for a hole."""
    fragment: int = NO_FRAGMENT
    offset: int = 0
    """Where it is in the fragment block."""
    sparse: int = 0
    """How many bytes are in holes."""


class _Job:
    """A block on its way, and where its place is to be noted."""

    def __init__(self, raw: bytes, file: _File | None, index: int = 0) -> None:
        self.raw = raw
        self.file = file
        self.index = index


class _File:
    """A file of several blocks that is being placed."""

    def __init__(self) -> None:
        self.start = 0
        self.placed = False
        self.sizes = array("I")
        self.sparse = 0


class DataArea:
    """The data area from byte *start* of the image."""

    def __init__(self, compressor: Compressor, block_size: int, start: int) -> None:
        self.end = start
        self.fragments: list[tuple[int, int]] = []
        """Place and size word of each fragment block."""
        self._squeeze = compressor.squeeze
        self._block_size = block_size
        self._zeros = bytes(block_size)
        self._long: dict[Content, _File] = {}
        self._short: dict[Content, Placement] = {}
        self._gathered = bytearray()
        self._fragments_begun = 0

    def placement(self, content: Content) -> Placement:
        """Where *content* is, once it has been packed."""
        file = self._long.get(content)
        if file is None:
            return self._short[content]
        return Placement(start=file.start, sizes=file.sizes, sparse=file.sparse)

    def pack(self, contents: Iterable[Content], read: Reader, workers: int) -> Iterator[bytes]:
        """The bytes of the area. *contents* have no two that are the same.

        Raises:
            ValueError: a content has not the size that it says.

        """
        waiting: deque[tuple[_Job, Future[tuple[bytes, bool]]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for job in self._jobs(contents, read):
                waiting.append((job, pool.submit(self._squeeze, job.raw)))
                if len(waiting) >= AHEAD * workers:
                    yield self._placed(*waiting.popleft())
            while waiting:
                yield self._placed(*waiting.popleft())

    def _placed(self, job: _Job, future: Future[tuple[bytes, bool]]) -> bytes:
        """The job's block as it is stored, now that all before it are."""
        stored, compressed = future.result()
        word = len(stored) if compressed else len(stored) | UNCOMPRESSED
        if job.file is None:
            self.fragments.append((self.end, word))
        else:
            if not job.file.placed:
                job.file.start, job.file.placed = self.end, True
            job.file.sizes[job.index] = word
        self.end += len(stored)
        return stored

    def _jobs(self, contents: Iterable[Content], read: Reader) -> Iterator[_Job]:
        for content in contents:
            if content.size >= self._block_size:
                yield from self._blocks(content, read)
            elif content.size:
                yield from self._fragment(content, read)
            else:
                self._short[content] = Placement()
        yield from self._flush()

    def _blocks(self, content: Content, read: Reader) -> Iterator[_Job]:
        file = self._long[content] = _File()
        size = 0
        for raw in cut(read(content), self._block_size):
            size += len(raw)
            file.sizes.append(0)
            if raw == self._zeros or raw == self._zeros[: len(raw)]:
                file.sparse += len(raw)
            else:
                yield _Job(raw, file, len(file.sizes) - 1)
        _check(content, size)

    def _fragment(self, content: Content, read: Reader) -> Iterator[_Job]:
        data = b"".join(read(content))
        _check(content, len(data))
        if len(self._gathered) + len(data) > self._block_size:
            yield from self._flush()
        self._short[content] = Placement(fragment=self._fragments_begun, offset=len(self._gathered))
        self._gathered += data

    def _flush(self) -> Iterator[_Job]:
        if self._gathered:
            self._fragments_begun += 1
            yield _Job(bytes(self._gathered), None)
            self._gathered.clear()


def _check(content: Content, size: int) -> None:
    if size != content.size:
        raise ValueError(f"a content of {content.size} bytes gave {size}")
