"""RPM packages, written: lead, signature header, header, and a compressed cpio archive.

Subset: version 4 of the format, binary packages, no hard links, no file capabilities; digests are SHA-256 alone, which
rpm checks since version 4.14. Not signed: `rpmsign` can do that later.

Source: rpm's docs/manual/format_v4.md and docs/manual/tags.md; lib/rpmtag.h and lib/rpmfiles.h for the numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from finback.codec.disk import Disk
from finback.tree.content import Inline, Slice
from finback.tree.entry import AnyEntry, Directory, File, Symlink

LEAD_MAGIC = b"\xed\xab\xee\xdb"
HEADER_MAGIC = b"\x8e\xad\xe8\x01\0\0\0\0"
_NUMBERS = {"x86_64": 1, "aarch64": 19, "s390x": 15, "riscv64": 22}
INT16, INT32, STRING, BINARY, STRINGS, TRANSLATED = 3, 4, 6, 7, 8, 9
_ALIGNMENT = {INT16: 2, INT32: 4}
_SIGNATURES, _IMMUTABLE = 62, 63
GHOST, CONFIG, NOREPLACE = 1 << 6, 1 << 0, 1 << 4
EQUAL, LESS, POST, POSTUN, INTERPRETER, RPMLIB = 1 << 3, 1 << 1, 1 << 10, 1 << 12, 1 << 8, 1 << 24
SHA256 = 8
# What is compared when a file is verified: all that the package says of it, or its bytes alone.
VERIFY_ALL, VERIFY_CONTENT = 0xFFFFFFFF, 1 << 0 | 1 << 1
# What a reader must understand, and since when rpm does.
_FEATURES = (
    ("rpmlib(CompressedFileNames)", "3.0.4-1"),
    ("rpmlib(FileDigests)", "4.6.0-1"),
    ("rpmlib(PayloadFilesHavePrefix)", "4.0-1"),
    ("rpmlib(PayloadIsZstd)", "5.4.18-1"),
)

Value = str | bytes | Sequence[int] | Sequence[str]


class Tag(NamedTuple):
    """An entry of a header."""

    number: int
    kind: int
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A file of a package."""

    entry: AnyEntry
    """Its path has no leading slash."""
    digest: str = ""
    """SHA-256 of a regular file."""
    flags: int = 0
    """GHOST: the package makes it when it is installed, the archive does not hold it."""
    verify: int = VERIFY_ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a package says of itself."""

    name: str
    version: str
    release: str
    architecture: str
    """`uname -m`'s word."""
    summary: str
    description: str
    licence: str
    epoch: int
    after_install: str
    """A script for /bin/sh. Its first argument is how many versions are installed then."""
    after_removal: str


def encode(about: About, files: Sequence[Owned], payload: Slice, unpacked: int) -> Disk:
    """A package; *payload* is the stored archive, compressed with zstd, *unpacked* its size before."""
    head = _header([*_described(about), *_scripts(about), *_relations(about), *_files(files), *_payload(payload)])
    signature = _header(
        [
            Tag(273, STRING, sha256(head).hexdigest()),
            Tag(1000, INT32, [len(head) + payload.size]),
            Tag(1007, INT32, [unpacked]),
        ],
        _SIGNATURES,
    )
    signature += b"\0" * (-len(signature) % 8)
    return Inline(_lead(about) + signature + head), payload


def _lead(about: About) -> bytes:
    name = f"{about.name}-{about.version}-{about.release}".encode()[:65]
    return struct.pack(">4sBBHH66sHH16x", LEAD_MAGIC, 3, 0, 0, _NUMBERS[about.architecture], name, 1, 5)


def _described(about: About) -> list[Tag]:
    return [
        Tag(100, STRINGS, ["C"]),
        Tag(1000, STRING, about.name),
        Tag(1001, STRING, about.version),
        Tag(1002, STRING, about.release),
        Tag(1004, TRANSLATED, [about.summary]),
        Tag(1005, TRANSLATED, [about.description]),
        Tag(1006, INT32, [about.epoch]),
        Tag(1007, STRING, "localhost"),
        Tag(1014, STRING, about.licence),
        Tag(1016, TRANSLATED, ["Unspecified"]),
        Tag(1021, STRING, "linux"),
        Tag(1022, STRING, about.architecture),
        # What has none of these is taken for a source package.
        Tag(1044, STRING, f"{about.name}-{about.version}-{about.release}.src.rpm"),
        Tag(1064, STRING, "4.14.0"),
        Tag(5062, STRING, "utf-8"),
    ]


def _scripts(about: About) -> list[Tag]:
    return [
        Tag(1024, STRING, about.after_install),
        Tag(1026, STRING, about.after_removal),
        Tag(1086, STRING, "/bin/sh"),
        Tag(1088, STRING, "/bin/sh"),
    ]


def _relations(about: About) -> list[Tag]:
    needed = [("/bin/sh", "", INTERPRETER | POST), ("/bin/sh", "", INTERPRETER | POSTUN)]
    needed += [(name, version, RPMLIB | LESS | EQUAL) for name, version in _FEATURES]
    return [
        Tag(1047, STRINGS, [about.name]),
        Tag(1112, INT32, [EQUAL]),
        Tag(1113, STRINGS, [f"{about.version}-{about.release}"]),
        Tag(1049, STRINGS, [n for n, _, _ in needed]),
        Tag(1048, INT32, [f for _, _, f in needed]),
        Tag(1050, STRINGS, [v for _, v, _ in needed]),
    ]


def _files(files: Sequence[Owned]) -> list[Tag]:
    entries = [f.entry for f in files]
    split = [("/" + e.path).rpartition("/") for e in entries]
    folders = list(dict.fromkeys(f"{folder}/" for folder, _, _ in split))
    sizes = [e.content.size if isinstance(e, File) else 4096 * isinstance(e, Directory) for e in entries]
    root = ["root"] * len(files)
    return [
        Tag(1009, INT32, [sum(e.content.size for e in entries if isinstance(e, File))]),
        Tag(1028, INT32, sizes),
        Tag(1030, INT16, [_mode(e) for e in entries]),
        Tag(1033, INT16, [0] * len(files)),
        Tag(1034, INT32, [e.mtime for e in entries]),
        Tag(1035, STRINGS, [f.digest for f in files]),
        Tag(1036, STRINGS, [e.target if isinstance(e, Symlink) else "" for e in entries]),
        Tag(1037, INT32, [f.flags for f in files]),
        Tag(1039, STRINGS, root),
        Tag(1040, STRINGS, root),
        Tag(1045, INT32, [f.verify for f in files]),
        Tag(1095, INT32, [1] * len(files)),
        Tag(1096, INT32, list(range(1, len(files) + 1))),
        Tag(1097, STRINGS, [""] * len(files)),
        Tag(1116, INT32, [folders.index(f"{folder}/") for folder, _, _ in split]),
        Tag(1117, STRINGS, [name for _, _, name in split]),
        Tag(1118, STRINGS, folders),
        Tag(5011, INT32, [SHA256]),
    ]


def _mode(entry: AnyEntry) -> int:
    kind = 0o040000 if isinstance(entry, Directory) else 0o120000 if isinstance(entry, Symlink) else 0o100000
    return kind | entry.mode


def _payload(payload: Slice) -> list[Tag]:
    return [
        Tag(1124, STRING, "cpio"),
        Tag(1125, STRING, "zstd"),
        Tag(1126, STRING, "19"),
        Tag(5092, STRINGS, [payload.blob.encoded]),
        Tag(5093, INT32, [SHA256]),
    ]


def _header(tags: Iterable[Tag], region: int = _IMMUTABLE) -> bytes:
    """A header whose whole is the region that digests are made of."""
    ordered = sorted(tags, key=lambda t: t.number)
    index, store = bytearray(), bytearray()
    for tag in ordered:
        store.extend(b"\0" * (-len(store) % _ALIGNMENT.get(tag.kind, 1)))
        data, count = _data(tag)
        index += struct.pack(">IIII", tag.number, tag.kind, len(store), count)
        store += data
    # The region's own entry comes first, and leads to a trailer behind everything.
    trailer = struct.pack(">IIiI", region, BINARY, -16 * (len(ordered) + 1), 16)
    first = struct.pack(">IIII", region, BINARY, len(store), 16)
    store += trailer
    return HEADER_MAGIC + struct.pack(">II", len(ordered) + 1, len(store)) + first + bytes(index) + bytes(store)


def _data(tag: Tag) -> tuple[bytes, int]:
    value = tag.value
    if isinstance(value, str):
        return value.encode() + b"\0", 1
    if isinstance(value, bytes):
        return value, len(value)
    if tag.kind in (STRINGS, TRANSLATED):
        return b"".join(str(v).encode() + b"\0" for v in value), len(value)
    letter = "H" if tag.kind == INT16 else "I"
    return struct.pack(f">{len(value)}{letter}", *value), len(value)
