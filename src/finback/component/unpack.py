"""Packages to one tree, without root and without running anything.

Each package's file system archive is decompressed to a file in a scratch folder, several at a time; the tree's contents
are slices of those files. Nothing is held in memory but the list of entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from finback.codec import tar
from finback.component.merged_usr import merged
from finback.debian import deb
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.host.file import opened, scratch_file
from finback.host.store import CHUNK, Store
from finback.resolve.plan import PackagePin
from finback.tree.content import Content, Inline, Slice
from finback.tree.entry import AnyEntry, Directory, File, HardLink

PARALLEL = 4


@dataclass(slots=True)
class Unpacked:
    """A tree, and where its bytes and its packages are."""

    tree: dict[str, AnyEntry] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """Path to package name, for everything but directories."""
    control: dict[str, dict[str, str]] = field(default_factory=dict)
    """Package name to its control fields."""
    files: dict[Digest, Path] = field(default_factory=dict)
    """Where the contents' blobs are."""

    def read(self, content: Content) -> Iterator[bytes]:
        """The bytes of a content of the tree."""
        if isinstance(content, Inline):
            yield content.data
            return
        with opened(self.files[content.blob]) as stream:
            stream.seek(content.offset)
            left = content.size
            while left:
                chunk = stream.read(min(left, CHUNK))
                if not chunk:
                    raise error("F405", "a scratch file was cut short", help="check the disk")
                left -= len(chunk)
                yield chunk

    def data(self, entry: File, size: int = 64 << 20, offset: int = 0) -> bytes:
        """At most *size* of a file's bytes, from *offset*."""
        content = entry.content
        size = max(0, min(size, content.size - offset))
        if isinstance(content, Slice):
            content = Slice(content.blob, content.offset + offset, size)
        else:
            content = Inline(content.data[offset : offset + size])
        return b"".join(self.read(content))


def unpack(pins: Iterable[PackagePin], store: Store, scratch: Path) -> Unpacked:
    """Unpack the packages, which are in the store, in the order of their names.

    Raises:
        FinbackError: F134, a package is faulty.

    """
    from concurrent.futures import ThreadPoolExecutor

    ordered = sorted(pins, key=lambda p: p.name)
    out = Unpacked()
    with ThreadPoolExecutor(PARALLEL) as pool:
        for pin, (path, fields) in zip(ordered, pool.map(lambda p: _spool(p, store, scratch), ordered), strict=True):
            out.control[pin.name] = fields
            _add(out, pin, path)
    return out


def _spool(pin: PackagePin, store: Store, scratch: Path) -> tuple[Path, dict[str, str]]:
    name = f"{pin.name} {pin.version}"
    path = scratch / f"{pin.digest.encoded}.tar"
    with opened(store.verified(pin.digest)) as package, scratch_file(path) as out:
        deb.unpack_data(package, name, out)
        return path, deb.fields(package, name)


def _add(out: Unpacked, pin: PackagePin, path: Path) -> None:
    # The archive's bytes are known by the package that they come from; no second hash is needed.
    out.files[pin.digest] = path
    try:
        with opened(path) as stream:
            for entry in tar.decode(stream, pin.digest):
                _place(out, merged(entry), pin.name)
    except ValueError as failure:
        raise error(
            "F134", f"package {pin.name} {pin.version} is faulty: {failure}", help="use another mirror, or report it"
        ) from None


def _place(out: Unpacked, entry: AnyEntry, package: str) -> None:
    if not entry.path:
        return
    old = out.tree.get(entry.path)
    if isinstance(entry, Directory) and old is not None:
        return
    if isinstance(entry, HardLink):
        target = out.tree.get(entry.target)
        if not isinstance(target, File):
            raise ValueError(f"hard link {entry.path} to {entry.target}, which is no file")
        entry = replace(target, path=entry.path)
    out.tree[entry.path] = entry
    if not isinstance(entry, Directory):
        out.owners[entry.path] = package
