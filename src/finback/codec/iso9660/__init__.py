"""ISO 9660 images: level 3 with Rock Ridge and Joliet, bootable from a disc and from a disk.

Subset written: one volume descriptor and, on request, Joliet's; files of any size, in sections of 4 GiB; hard links
share their data. Directories may be nested deeper than eight levels, which the standard forbids and every reader of
Rock Ridge takes; nothing is relocated. Extended attributes have no place in the format and are left out; whoever calls
says so. At most 65535 directories.

Sources: ECMA-119, 4th edition; SUSP 1.12 and RRIP 1.12 (IEEE P1281, P1282); Joliet specification of 1995; El Torito
1.0; UEFI specification 2.10, 13.3.2; Syslinux's isohybrid for what its boot sectors expect.
"""

from __future__ import annotations

from collections.abc import Mapping

from finback.codec.disk import content
from finback.codec.iso9660.disc import Boot, encode
from finback.codec.iso9660.field import SECTOR
from finback.codec.iso9660.hybrid import Hybrid
from finback.codec.iso9660.node import Within
from finback.codec.iso9660.volume import Volume
from finback.tree.content import Inline, read_inline
from finback.tree.entry import File

__all__ = ["SECTOR", "Boot", "Hybrid", "Volume", "Within", "encode", "small"]

# A fixed date, so that the same files give the same image.
EPOCH = 1492533000


def small(label: str, files: Mapping[str, bytes]) -> bytes:
    """A small image with volume identifier *label* and *files* in its root: a disc that carries a machine's own data.

    Raises:
        ValueError: a name or the label does not fit.

    """
    entries = [File(path=name, content=Inline(data), mtime=EPOCH) for name, data in sorted(files.items())]
    if any("/" in name for name in files):
        raise ValueError("such a disc has no folders")
    made = encode(entries, Volume(label=label, epoch=EPOCH, joliet=False))
    return b"".join(bytes(c) for c in content(made, read_inline))
