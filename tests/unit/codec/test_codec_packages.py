"""Package formats: what needs no tool. tests/contract/test_packages.py asks dpkg and rpm."""

from __future__ import annotations

import io
import struct
from hashlib import sha256

import pytest

from finback.codec import ar, cpio, deb, disk, rpm
from finback.codec.compress import compress, zstd_decompressor
from finback.ground.digest import Digest
from finback.tree.content import Inline, Slice, read_inline
from finback.tree.entry import Directory, File

PAYLOAD = b"".join(compress(cpio.encode([File(path="./a", content=Inline(b"abc"))], read_inline), "zstd", 1))
ABOUT = rpm.About(
    name="finback-t",
    version="1",
    release="2",
    architecture="aarch64",
    summary="s",
    description="d",
    licence="x",
    epoch=7,
    after_install="true\n",
    after_removal="true\n",
)


def stored(data: bytes) -> Slice:
    return Slice(Digest.of(data), 0, len(data))


def bytes_of(made: disk.Disk, data: bytes) -> bytes:
    return b"".join(data if isinstance(s, Slice) else s.data for s in made)


def header(data: bytes, at: int) -> tuple[dict[int, object], int]:
    """The tags of a header, as a reader of its own takes them, and where it ends."""
    assert data[at : at + 4] == b"\x8e\xad\xe8\x01"
    count, size = struct.unpack_from(">II", data, at + 8)
    store = data[at + 16 + 16 * count :][:size]
    found: dict[int, object] = {}
    for i in range(count):
        number, kind, offset, values = struct.unpack_from(">IIII", data, at + 16 + 16 * i)
        if kind in (3, 4):
            width = {3: 2, 4: 4}[kind]
            assert offset % width == 0
            found[number] = struct.unpack_from(f">{values}{'H' if kind == 3 else 'I'}", store, offset)
        elif kind == 7:
            found[number] = store[offset : offset + values]
        else:
            texts = store[offset:].split(b"\0")[:values]
            found[number] = texts[0].decode() if kind == 6 else [t.decode() for t in texts]
    return found, at + 16 + 16 * count + size


def test_an_rpm_says_what_it_holds() -> None:
    files = [
        rpm.Owned(entry=Directory(path="boot/x")),
        rpm.Owned(entry=File(path="boot/x/a", content=Inline(b"abc")), digest="d" * 64, flags=rpm.CONFIG),
        rpm.Owned(entry=File(path="etc/b"), flags=rpm.GHOST),
    ]
    data = bytes_of(rpm.encode(ABOUT, files, stored(PAYLOAD), 512), PAYLOAD)
    assert data[:4] == b"\xed\xab\xee\xdb"
    assert struct.unpack_from(">H", data, 8)[0] == 19
    signature, end = header(data, 96)
    start = end + -end % 8
    tags, end = header(data, start)
    assert signature[273] == sha256(data[start:end]).hexdigest()
    assert signature[1000] == (len(data) - start,)
    assert signature[62] == struct.pack(">IIiI", 62, 7, -16 * 4, 16)
    assert tags[63] == struct.pack(">IIiI", 63, 7, -16 * len(tags), 16)
    assert data[end:] == PAYLOAD
    assert tags[5092] == [sha256(PAYLOAD).hexdigest()]
    folders, indexes, names = tags[1118], tags[1116], tags[1117]
    assert [f"{folders[i]}{n}" for i, n in zip(indexes, names, strict=True)] == ["/boot/x", "/boot/x/a", "/etc/b"]
    assert (tags[1000], tags[1022], tags[1028]) == ("finback-t", "aarch64", (4096, 3, 0))
    assert tags[1030] == (0o040755, 0o100644, 0o100644)
    assert cpio.decode(zstd_decompressor().decompress(PAYLOAD))[0].path == "./a"


def test_a_deb_has_three_members() -> None:
    data = b"".join(compress([b"tar"], "gzip", 1))
    whole = bytes_of(deb.encode({"control": "Package: x\n", "postinst": "#!/bin/sh\n"}, stored(data), 7), data)
    members = {m.name: whole[m.offset : m.offset + m.size] for m in ar.members(io.BytesIO(whole))}
    assert list(members) == ["debian-binary", "control.tar.gz", "data.tar.gz"]
    assert members["debian-binary"] == b"2.0\n"
    assert members["data.tar.gz"] == data


def test_paragraphs_fold_their_lines() -> None:
    assert deb.paragraph({"A": "1", "D": "short\nlong\n\nlonger"}) == "A: 1\nD: short\n long\n .\n longer\n"


def test_a_member_that_no_ar_archive_can_hold() -> None:
    with pytest.raises(ValueError, match="too large"):
        ar.header("data.tar.gz", 10**10)
