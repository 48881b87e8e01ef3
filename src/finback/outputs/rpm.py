"""An RPM package that puts kernel and initrd below /boot, and the system into the host's boot menu."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import sha256

from finback.assemble.system import Contents, System
from finback.codec import cpio, disk, rpm
from finback.codec.compress import compress
from finback.codec.disk import Disk
from finback.outputs import Format, Options, Written
from finback.outputs._package import WAYS, Package, package
from finback.tree.content import Reader
from finback.tree.entry import Directory, File

RPM = "application/x-rpm"


def image(system: System, contents: Contents, options: Options) -> Disk:
    """The package."""
    made = package(system, contents, options)
    read = made.bodies.reader(contents)
    files = [_owned(e, made, read) for e in made.files]
    files.append(rpm.Owned(entry=File(path=made.entry, mtime=system.epoch), flags=rpm.GHOST, verify=rpm.VERIFY_CONTENT))
    files.sort(key=lambda f: f.entry.path.rpartition("/")[::2])
    unpacked = _Count()
    archive = cpio.encode((replace(f.entry, path=f"./{f.entry.path}") for f in files if not f.flags & rpm.GHOST), read)
    # Kernel and initrd are compressed already; the least effort passes them through.
    payload = contents.keep(compress(unpacked.through(archive), "zstd", 1))
    return rpm.encode(_about(made, system), files, payload, unpacked.size)


class _Count:
    """How many bytes went by."""

    def __init__(self) -> None:
        self.size = 0

    def through(self, chunks: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
        """*chunks*, counted."""
        for chunk in chunks:
            self.size += len(chunk)
            yield chunk


def _owned(entry: Directory | File, made: Package, read: Reader) -> rpm.Owned:
    # /boot may be a FAT volume, which has no modes, and times of two seconds.
    verify = rpm.VERIFY_CONTENT if entry.path.startswith("boot/") else rpm.VERIFY_ALL
    if isinstance(entry, Directory):
        return rpm.Owned(entry=entry, verify=verify)
    digest = sha256()
    for chunk in read(entry.content):
        digest.update(chunk)
    flags = rpm.CONFIG | rpm.NOREPLACE if entry.path == made.menu_script else 0
    return rpm.Owned(entry=entry, digest=digest.hexdigest(), flags=flags, verify=verify)


def _about(made: Package, system: System) -> rpm.About:
    return rpm.About(
        name=made.name,
        version=made.version,
        release="1",
        architecture=system.platform.names.kernel,
        summary=f"System image {made.title}",
        description="Kernel and initial RAM disk of a whole system, and an entry for it in the boot menu. It runs\n"
        "instead of the installed system, not within it.",
        licence="LicenseRef-Various",
        epoch=system.epoch,
        after_install=made.after_install,
        # A newer version may have been installed before this one goes.
        after_removal=f'if [ "$1" = 0 ]; then\n{made.after_removal}fi\n',
    )


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix=".rpm", role="package", media_type=RPM, body=lambda: disk.flow(image(system, contents, options))
    )


FORMAT = Format(write=write, needs_kernel=True, streamable=True, ways=WAYS)
