"""Kernel, initrd and command line in one tar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from finback.assemble.system import Contents, Piece, System
from finback.codec import tar
from finback.ground.digest import Digest
from finback.outputs import Format, Options, Written
from finback.outputs.kernel_plus_initrd import initrd
from finback.outputs.tar import TAR
from finback.tree.content import Content, Inline, Slice
from finback.tree.entry import File

_NONE = Digest("sha256", "0" * 64)


def _archive(system: System, contents: Contents, options: Options) -> Iterator[Piece]:
    boot = system.boot
    if boot is not None:
        yield from _member(system, contents, "kernel", boot.kernel)
        # Microcode is a member of its own here, not the head of the initrd.
        system = replace(system, boot=replace(boot, microcode=None))
    # A header comes before its member and holds the size. Making the last segment twice costs less than keeping it.
    size = sum(_size(p) for p in initrd(system, contents, options))
    yield _head(system, "initrd.img", Slice(_NONE, 0, size))
    yield from initrd(system, contents, options)
    yield b"\0" * (-size % tar.BLOCK)
    if boot is not None:
        yield from _member(system, contents, "cmdline", Inline(boot.cmdline.encode()))
        if boot.microcode is not None:
            yield from _member(system, contents, "ucode.cpio", boot.microcode)
    yield b"\0" * (2 * tar.BLOCK)


def _size(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.size


def _head(system: System, name: str, content: Content) -> bytes:
    """The header of a file, which says its size and nothing else of its content."""
    empty: Iterator[bytes] = iter(())
    entry = File(path=name, mtime=system.epoch, content=content)
    return bytes(next(iter(tar.encode([entry], lambda _: empty))))


def _member(system: System, contents: Contents, name: str, content: Content) -> Iterator[Piece]:
    yield _head(system, name, content)
    yield from (bytes(c) for c in contents.read(content))
    yield b"\0" * (-content.size % tar.BLOCK)


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(suffix="-initrd.tar", role="initrd", media_type=TAR, body=lambda: _archive(system, contents, options))


FORMAT = Format(write=write)
