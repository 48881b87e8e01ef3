"""Formats: one module each, binding `FORMAT`.

A module here is found by its name; nothing else has to be edited. It declares what it makes and which inputs it needs,
and gives `write`, which yields the outputs. Bodies are streamed to a temporary file by the application, which renames
it once it is complete; a format never touches a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from finback.assemble.command_line import DIRECT, Way
from finback.assemble.system import Body, Compression, Contents, System
from finback.ground.plugin import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One file of a format: its name is the build's name with `suffix`."""

    suffix: str
    role: str
    """What it is for: `kernel`, `initrd`, `cmdline`, `rootfs`, `disk`."""
    media_type: str
    body: Body
    also: tuple[str, ...] = ()
    """Further suffixes under which the file can be found: what LinuxKit calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may choose for any format."""

    compression: Compression = Compression()
    size: int | None = None
    """Bytes that a disk shall have. None: what its content needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """The declaration of a format."""

    write: Callable[[System, Contents, Options], Iterator[Written]]
    needs_kernel: bool = False
    root: str = "initrd"
    """How its root is brought: as an `initrd`, or the file system that the kernel mounts. "": it boots nothing."""
    memory: int | None = None
    """MiB of memory that it gives the machine."""
    loaders: Mapping[str, tuple[str, ...]] | None = None
    """The architectures that it can be made for, in OCI's words, each with the components that it takes boot loaders
    from. None: any, and no boot loader."""
    ways: tuple[Way, ...] = (DIRECT,)
    """How the kernel gets its command line; each must be able to pass it on. Empty: it boots nothing."""
    compressions: tuple[str, ...] = ("zstd", "gzip", "none")
    """The methods of compression that a user may choose from; the first is taken when none is chosen."""
    sized: bool = False
    """Has a size that a user may choose."""
    streamable: bool = False
    """Has exactly one file, which may go to standard output."""


FORMATS: Registry[Format] = Registry("finback.outputs", "FORMAT", "format")
