"""A disk for Google's cloud: `disk.raw`, of whole GiB, in a compressed tar.

Source: Google, Compute Engine, "Manually import boot disks", "Create a compressed tar file".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from finback.assemble.system import Contents, Piece, System
from finback.codec import disk, tar
from finback.codec.compress import compress
from finback.ground.digest import Digest
from finback.outputs import Format, Options, Written, raw
from finback.tree.content import Slice
from finback.tree.entry import File

GIB = 1 << 30
# Kernel and initrd are compressed already, and any level makes zeros vanish.
LEVEL = 1
_NONE = Digest("sha256", "0" * 64)


def _archive(system: System, contents: Contents, options: Options) -> Iterator[Piece]:
    size = options.size or disk.size(raw.DRIVE.image(system, contents, options))
    image = raw.DRIVE.image(system, contents, replace(options, size=disk.aligned(size, GIB)))
    # The header needs the size alone; the reader gives what lies on the disk.
    entry = File(path="disk.raw", mtime=system.epoch, content=Slice(_NONE, 0, disk.size(image)))
    return compress(tar.encode([entry], lambda _: disk.content(image, contents.read)), "gzip", LEVEL)


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix=".img.tar.gz",
        role="disk",
        media_type="application/gzip",
        body=lambda: _archive(system, contents, options),
    )


FORMAT = Format(
    write=write, needs_kernel=True, streamable=True, sized=True, loaders=raw.DRIVE.loaders, ways=raw.DRIVE.ways
)
