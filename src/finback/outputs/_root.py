"""What formats share whose root the kernel mounts from a disk: kernel, command line, the small initrd if it needs one.

The command line is the spec's. `root=` depends on the machine and is added by whoever boots it, as LinuxKit does it;
the small initrd finds the root without.

Source: compat 3.3 and 3.5 for the names of the files.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from finback.assemble.early import early
from finback.assemble.system import Body, Compression, Contents, Piece, System
from finback.codec import cpio
from finback.codec.compress import compress
from finback.ground import canonical
from finback.ground.diagnostic import FinbackError, error
from finback.outputs import Options, Written
from finback.outputs.kernel_plus_initrd import OCTETS
from finback.outputs.tar import tree
from finback.tree.content import Inline, Slice
from finback.tree.entry import AnyEntry


def entries(system: System, contents: Contents) -> list[AnyEntry]:
    """The tree of the root, in which the kernel itself is not."""
    return [placed.entry for placed in tree(replace(system, boot=None), contents)]


def described(root: Iterable[AnyEntry]) -> list[object]:
    """All that *root* is, as JSON's types. What is in a store has a digest; what is small stands for itself."""
    out: list[object] = []
    for entry in root:
        content = getattr(entry, "content", None)
        what = content.data.hex() if isinstance(content, Inline) else canonical.plain(content)
        rest = [getattr(entry, name, None) for name in ("target", "block", "major", "minor")]
        xattrs = [[name, value.hex()] for name, value in entry.xattrs]
        owner = [entry.mode, entry.uid, entry.gid, entry.mtime]
        out.append([type(entry).__name__, entry.path, *owner, xattrs, what, *rest])
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The image of a root."""

    filesystem: str
    tree: Sequence[AnyEntry]
    body: Body


def files(system: System, contents: Contents, options: Options, root: Root) -> Iterator[Written]:
    """The files of a format whose root is *root*."""
    boot = system.boot
    image = Written(suffix=f"-{root.filesystem}.img", role="rootfs", media_type=OCTETS, body=root.body)
    if boot is None:
        yield image
        return
    small = early(root.tree, root.filesystem, contents.read, boot.origin.span)
    kernel, cmdline = boot.kernel, boot.cmdline.encode()
    yield Written(
        suffix="-kernel",
        role="kernel",
        media_type=OCTETS,
        body=lambda: iter((kernel if isinstance(kernel, Slice) else kernel.data,)),
    )
    yield Written(suffix="-cmdline", role="cmdline", media_type="text/plain", body=lambda: iter((cmdline,)))
    if small or boot.microcode is not None:
        yield Written(
            suffix=f"-{root.filesystem}-initrd.img",
            role="initrd",
            media_type=OCTETS,
            body=lambda: _initrd(system, contents, options, small),
        )
    yield image


def compressed(
    made_of: Sequence[object], contents: Contents, making: Generator[bytes, None, bytes], head: int
) -> Iterator[Piece]:
    """An image whose first *head* bytes are known last, and returned by *making*: it is made once and kept.

    *made_of* begins with the name of the file system and holds all that the bytes depend on.
    """

    def make() -> Iterator[bytes]:
        yield (yield from making)

    kept = contents.remembered(canonical.digest(list(made_of)), f"compressing {made_of[0]}", make)
    body = kept.size - head
    yield b"".join(bytes(c) for c in contents.read(Slice(kept.blob, body, head)))
    yield Slice(kept.blob, 0, body)


def unfit(filesystem: str, system: System, failure: ValueError) -> FinbackError:
    """The error for a tree that the format has no place for."""
    return error(
        "F167",
        f"this system can't be written as {filesystem}: {failure}",
        system.boot.origin.span if system.boot is not None else None,
        help="leave out the file that is named, or use the format kernel+initrd",
    )


def _initrd(system: System, contents: Contents, options: Options, small: list[AnyEntry]) -> Iterator[Piece]:
    """Microcode, which comes uncompressed in front, and the small initrd."""
    if system.boot is not None and system.boot.microcode is not None:
        size = 0
        for chunk in contents.read(system.boot.microcode):
            size += len(chunk)
            yield bytes(chunk)
        yield b"\0" * (-size % 4)
    if small:
        archive = cpio.encode([replace(e, mtime=system.epoch) for e in small], contents.read)
        # What the root is compressed with need not be something that a kernel unpacks an initrd from.
        fits = options.compression.method in ("zstd", "gzip")
        chosen = options.compression if fits else Compression()
        yield from compress(archive, chosen.method, chosen.level)
