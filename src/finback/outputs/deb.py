"""A Debian package that puts kernel and initrd below /boot, and the system into the host's boot menu."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import md5

from finback.assemble.system import Contents, System
from finback.codec import deb, disk, tar
from finback.codec.compress import compress
from finback.codec.disk import Disk
from finback.outputs import Format, Options, Written
from finback.outputs._package import WAYS, Package, package
from finback.tree.content import Inline
from finback.tree.entry import AnyEntry, Directory, File

DEB = "application/vnd.debian.binary-package"
MAINTAINER = "finback <finback@packages.invalid>"
_COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: {name}
Comment: A system image made by finback. What it holds, with versions and
 licences, is in the image itself, in /etc/finback/plan.json and in the files
 of each part below /usr/share/doc.

Files: *
Copyright: {year} the authors of the programs in the image
License: various
 The licences of the programs in the image. The Linux kernel is under version 2
 of the GNU General Public License, on Debian systems in
 /usr/share/common-licenses/GPL-2.
"""


def image(system: System, contents: Contents, options: Options) -> Disk:
    """The package."""
    made = package(system, contents, options)
    tree = list(_tree(made, system))
    read = made.bodies.reader(contents)
    # Kernel and initrd are compressed already: what dpkg wants to be gzip only wraps them.
    data = contents.keep(compress(tar.encode(tree, read), deb.METHOD, 0))
    files = [e for e in tree if isinstance(e, File) and e.path != f"./{made.menu_script}"]
    sums = [(e.path.removeprefix("./"), _md5(read(e.content))) for e in files]
    control = {
        "control": deb.paragraph(_fields(made, system, tree)),
        "md5sums": deb.md5sums(sums),
        "conffiles": f"/{made.menu_script}\n",
        "postinst": f'#!/bin/sh\nset -e\nif [ "$1" = configure ]; then\n{_indented(made.after_install)}fi\n',
        "postrm": f'#!/bin/sh\nset -e\nif [ "$1" = remove ]; then\n{_indented(made.after_removal)}fi\n',
    }
    return deb.encode(control, data, system.epoch)


def _tree(made: Package, system: System) -> Iterator[Directory | File]:
    """The files with all directories that lead to them, as dpkg-deb names them."""
    documents = f"usr/share/doc/{made.name}"
    changes = f"{made.name} ({made.version}) unstable; urgency=medium\n\n  * Built by finback.\n\n"
    changes += f" -- {MAINTAINER}  {datetime.fromtimestamp(system.epoch, UTC):%a, %d %b %Y %H:%M:%S +0000}\n"
    packed = b"".join(compress([changes.encode()], "gzip", 9))
    copyright_ = _COPYRIGHT.format(name=made.name, year=datetime.fromtimestamp(system.epoch, UTC).year)
    entries: dict[str, Directory | File] = {e.path: e for e in made.files}
    for path, data in ((f"{documents}/changelog.gz", packed), (f"{documents}/copyright", copyright_.encode())):
        entries[path] = File(path=path, mtime=system.epoch, content=Inline(data))
    for path in list(entries):
        steps = path.split("/")
        for i in range(len(steps)):
            parent = "/".join(steps[:i])
            entries.setdefault(parent, Directory(path=parent, mtime=system.epoch))
    for path in sorted(entries, key=lambda p: p.split("/")):
        yield _prefixed(entries[path])


def _prefixed(entry: Directory | File) -> Directory | File:
    path = f"./{entry.path}" if entry.path else "."
    if isinstance(entry, File):
        return File(path=path, mode=entry.mode, mtime=entry.mtime, content=entry.content)
    return Directory(path=path, mode=entry.mode, mtime=entry.mtime)


def _fields(made: Package, system: System, tree: Iterable[AnyEntry]) -> dict[str, str]:
    # As dpkg-gencontrol counts: KiB of each file, one for whatever else there is.
    size = sum(-(-e.content.size // 1024) if isinstance(e, File) else 1 for e in tree)
    return {
        "Package": made.name,
        "Version": made.version,
        "Architecture": system.platform.names.debian,
        "Maintainer": MAINTAINER,
        "Installed-Size": str(size),
        "Section": "admin",
        "Priority": "optional",
        "Description": f"system image {made.title}\n"
        "Kernel and initial RAM disk of a whole system, and an entry for it in the\n"
        "boot menu. It runs instead of the installed system, not within it.",
    }


def _md5(chunks: Iterable[bytes | memoryview]) -> str:
    digest = md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def _indented(commands: str) -> str:
    return "".join(f"    {line}\n" for line in commands.splitlines())


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix=".deb", role="package", media_type=DEB, body=lambda: disk.flow(image(system, contents, options))
    )


FORMAT = Format(write=write, needs_kernel=True, streamable=True, ways=WAYS)
