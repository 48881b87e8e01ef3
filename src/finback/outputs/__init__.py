"""Formats: one module each, binding `FORMAT`.

A module here is found by its name; nothing else has to be edited. It declares what it makes and which inputs it needs,
and gives `write`, which yields the outputs. Bodies are streamed to a temporary file by the application, which renames
it once it is complete; a format never touches a path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a user may choose for any format."""

    compression: Compression = Compression()


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """The declaration of a format."""

    write: Callable[[System, Contents, Options], Iterator[Written]]
    needs_kernel: bool = False
    streamable: bool = False
    """Has exactly one file, which may go to standard output."""


FORMATS: Registry[Format] = Registry("finback.outputs", "FORMAT", "format")
