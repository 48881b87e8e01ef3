"""The System: what the formats write.

A root file system as an ordered list of parts. A later part wins where two name the same path. Each part knows which
line of the spec it comes from; formats ask the Contents for its entries, or for its cached segment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from finback.ground.digest import Digest
from finback.ground.platform import Platform
from finback.ground.source import Origin, origin
from finback.resolve.plan import Plan
from finback.tree.content import Content, Hole, Slice
from finback.tree.entry import AnyEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePart:
    """An image's file system, flattened and put below `prefix` ("" is the root)."""

    source: str
    """What the PAX record LINUXKIT.source says: the expanded reference."""
    location: str
    """What LINUXKIT.location says: `kernel`, `init[0]`, `services[2]`."""
    image: Digest
    """Digest of the manifest."""
    prefix: str
    flavour: str
    """How the image is turned into a root file system: `init` (resolv.conf points to /run), `container`, `kernel`
    (only the modules); `layout`, the image as it is, for programs of the guest."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPart:
    """Entries that this build makes: bundles, files of the spec."""

    source: str
    location: str
    entries: tuple[AnyEntry, ...]
    origin: Origin = origin()
    replaceable: bool = False
    """Images and `files` may have another file in the place of one of these."""


Part = ImagePart | OwnPart

Make = Callable[[], Iterator[bytes]]
"""Makes something anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What is loaded before the root file system."""

    kernel: Content
    kernel_mode: int
    cmdline: str
    microcode: Content | None = None
    source: str
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One system, ready to be written in any format."""

    name: str
    platform: Platform
    epoch: int
    plan: Plan
    boot: Boot | None
    parts: tuple[Part, ...]
    """In LinuxKit's order: kernel's modules, init, volumes, images of containers, bundles, files."""


class Contents(Protocol):
    """What a format may ask for while it writes. Implemented over the store."""

    def entries(self, part: Part) -> Iterator[AnyEntry]:
        """The part's entries with their final paths, every directory before what is in it."""

    def segment(self, part: ImagePart, compression: Compression) -> Slice:
        """The part as a compressed cpio archive: from the cache, or made now and kept."""

    def remembered(self, key: Digest, title: str, make: Make) -> Slice:
        """What *make* gives, which *key* describes: from the cache, or made now and kept. *title* is what users see."""

    def read(self, content: Content) -> Iterator[bytes | memoryview]:
        """The bytes of a content, in chunks of at most 1 MiB, verified."""

    def keep(self, chunks: Iterable[bytes]) -> Slice:
        """Put bytes that a format has made into the store: what must be measured before it is written."""

    def loader(self, component: str) -> Mapping[str, AnyEntry]:
        """The tree, by path, of a component that the format declares (`Format.loaders`)."""


@dataclass(frozen=True, slots=True)
class Compression:
    """How an initrd or a root is compressed: a method and its level (None: the method's default)."""

    method: str = "zstd"
    level: int | None = None

    @classmethod
    def parse(cls, text: str) -> Compression:
        """Read ``zstd``, ``zstd:19``, ``gzip:9``, ``lz4``, ``none``.

        Raises:
            ValueError: unknown method, or a level out of the method's range.

        """
        method, colon, level = text.partition(":")
        top = {"zstd": 19, "gzip": 9, "lz4": 12, "none": 0}.get(method)
        if top is None:
            raise ValueError(f"unknown compression {method!r} (known: zstd, gzip, lz4, none)")
        if not colon:
            return cls(method)
        if not level.isdecimal() or not 1 <= int(level) <= top:
            raise ValueError(f"the level of {method} is a number from 1 to {top}, not {level!r}")
        return cls(method, int(level))

    def __str__(self) -> str:
        return self.method if self.level is None else f"{self.method}:{self.level}"


Piece = bytes | Slice | Hole
"""A stretch of an output: bytes, a stretch of a stored blob (which the writer may copy inside the kernel), or zeros."""

Body = Callable[[], Iterator[Piece]]
