"""Kernel, initrd and command line as files, for booting them directly."""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.system import Contents, ImagePart, Piece, System
from finback.codec import cpio
from finback.codec.compress import compress
from finback.outputs import Format, Options, Written
from finback.tree.content import Content, Slice
from finback.tree.entry import AnyEntry

OCTETS = "application/octet-stream"


def initrd(system: System, contents: Contents, options: Options) -> Iterator[Piece]:
    """The initramfs: microcode, then a stored segment per image, then one of what this build makes itself.

    Every archive in it has a length that is a multiple of four: where the kernel looks for the next.
    """
    size = 0
    if system.boot is not None and system.boot.microcode is not None:
        for chunk in contents.read(system.boot.microcode):
            size += len(chunk)
            yield bytes(chunk)
        yield b"\0" * (-size % 4)
    own: dict[str, AnyEntry] = {}
    for part in system.parts:
        if isinstance(part, ImagePart):
            yield contents.segment(part, options.compression)
        else:
            # A later entry replaces an earlier one in its place: after the directories that lead to it.
            own.update((entry.path, entry) for entry in part.entries)
    archive = cpio.encode(own.values(), contents.read)
    size = 0
    for piece in compress(archive, options.compression.method, options.compression.level):
        size += len(piece)
        yield piece
    yield b"\0" * (-size % 4)


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """The files that LinuxKit's format of the same name has."""
    boot = system.boot
    if boot is not None:
        yield Written(suffix="-kernel", role="kernel", media_type=OCTETS, body=lambda: _content(boot.kernel))
    yield Written(
        suffix="-initrd.img", role="initrd", media_type=OCTETS, body=lambda: initrd(system, contents, options)
    )
    if boot is not None:
        body = boot.cmdline.encode()
        yield Written(suffix="-cmdline", role="cmdline", media_type="text/plain", body=lambda: iter((body,)))


def _content(content: Content) -> Iterator[Piece]:
    if isinstance(content, Slice):
        yield content
    else:
        yield content.data


FORMAT = Format(write=write)
