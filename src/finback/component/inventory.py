"""What an image is made of, read from the image alone: packages with their licences, files, programs.

Packages are those that Debian's, distroless' and Alpine's databases list: `var/lib/dpkg/status` and `status.d`,
`lib/apk/db/installed`. What they don't list can't be seen.

Source: dpkg's deb822(5); apk-tools' apk-package(5) and its installed database, version 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from finback.codec import elf
from finback.component.identity import STATUS
from finback.debian import control
from finback.debian import copyright as copyright_file
from finback.debian.copyright import Licence
from finback.ground.diagnostic import error
from finback.tree.content import Reader, Slice
from finback.tree.entry import AnyEntry, File, HardLink, Symlink

DPKG = "var/lib/dpkg/status"
APK = "lib/apk/db/installed"
DATABASE_LIMIT = 64 << 20
MAX_LINKS = 8
SET_ID = 0o6000


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that an image has something of."""

    kind: Literal["deb", "apk"]
    name: str
    version: str
    architecture: str
    source: str
    """The source package that it was built from."""
    maintainer: str = ""
    licence: Licence = Licence()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What an image is made of."""

    packages: tuple[Package, ...]
    """Sorted by name."""
    size: int
    """Bytes of its files."""
    files: int
    programs: int
    """ELF files: programs and libraries."""
    set_id: tuple[str, ...]
    """Paths of files that run as their owner or group, whoever starts them."""


def take(entries: Iterable[AnyEntry], read: Reader) -> Inventory:
    """The inventory of the tree *entries*.

    Raises:
        FinbackError: F110, a list of packages can't be read; whatever *read* raises.

    """
    tree = {e.path: e for e in entries}
    files = [e for e in tree.values() if isinstance(e, File)]
    return Inventory(
        packages=tuple(sorted(_packages(tree, read), key=lambda p: p.name)),
        size=sum(f.content.size for f in files),
        files=len(files),
        programs=sum(_head(f, read) == elf.MAGIC for f in files),
        set_id=tuple(sorted("/" + f.path for f in files if f.mode & SET_ID)),
    )


def _head(entry: File, read: Reader) -> bytes:
    content = entry.content
    if isinstance(content, Slice):
        content = Slice(content.blob, content.offset, min(4, content.size))
    return b"".join(bytes(c) for c in read(content))[:4]


def _packages(tree: Mapping[str, AnyEntry], read: Reader) -> list[Package]:
    stanzas: list[dict[str, str]] = []
    for path, entry in tree.items():
        single = path.startswith(STATUS + "/") and not path.endswith(".md5sums")
        if (single or path == DPKG) and isinstance(entry, File):
            stanzas += _stanzas(path, _text(entry, read))
    found = [_debian(s, tree, read) for s in stanzas if s.get("Package") and "deinstall" not in s.get("Status", "")]
    database = tree.get(APK)
    if isinstance(database, File):
        found += [p for block in _text(database, read).split("\n\n") if (p := _alpine(block))]
    return found


def _stanzas(path: str, text: str) -> list[dict[str, str]]:
    try:
        return list(control.paragraphs(text.splitlines()))
    except ValueError as failure:
        raise error(
            "F110",
            f"the image's list of packages /{path} can't be read: {failure}",
            help="the image is damaged, or hides what it is made of: use another version of it",
        ) from None


def _debian(fields: Mapping[str, str], tree: Mapping[str, AnyEntry], read: Reader) -> Package:
    name = fields["Package"]
    text = _copyright(name, tree, read)
    return Package(
        kind="deb",
        name=name,
        version=fields.get("Version", ""),
        architecture=fields.get("Architecture", ""),
        source=fields.get("Source", name).split(" ")[0],
        maintainer=fields.get("Maintainer", ""),
        licence=copyright_file.read(text) if text else Licence(),
    )


def _copyright(name: str, tree: Mapping[str, AnyEntry], read: Reader) -> str:
    """The package's copyright file, whose folder may be a link to another's. Source: Debian Policy 12.5."""
    folder = name
    for _ in range(MAX_LINKS):
        link = tree.get(f"usr/share/doc/{folder}")
        if not isinstance(link, Symlink):
            break
        folder = link.target.rsplit("/", 1)[-1]
    entry = tree.get(f"usr/share/doc/{folder}/copyright")
    for _ in range(MAX_LINKS):
        if isinstance(entry, HardLink):
            entry = tree.get(entry.target)
        elif isinstance(entry, Symlink):
            target = (
                entry.target.lstrip("/") if entry.target.startswith("/") else f"usr/share/doc/{folder}/{entry.target}"
            )
            entry = tree.get(target.replace(f"{folder}/../", ""))
    return _text(entry, read, copyright_file.LIMIT) if isinstance(entry, File) else ""


def _text(entry: File, read: Reader, limit: int = DATABASE_LIMIT) -> str:
    if entry.content.size > limit:
        return ""
    return b"".join(bytes(c) for c in read(entry.content)).decode("utf-8", "replace")


def _alpine(block: str) -> Package | None:
    fields = dict(line.split(":", 1) for line in block.splitlines() if line[1:2] == ":")
    if not fields.get("P"):
        return None
    licence = fields.get("L", "").strip()
    # Alpine writes SPDX expressions.
    parts = (licence,) if licence else ()
    return Package(
        kind="apk",
        name=fields["P"],
        version=fields.get("V", ""),
        architecture=fields.get("A", ""),
        source=fields.get("o", fields["P"]),
        maintainer=fields.get("m", ""),
        licence=Licence(parts=parts, how="declared" if parts else "unknown"),
    )
