"""Reading tar archives: what the standard library wrote, what GNU tar writes sparse, and what the hostile write."""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finback.codec import tar
from finback.codec.tar_sparse import Sparse
from finback.ground.digest import Digest
from finback.tree.content import Inline, Slice
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Symlink

BLOB = Digest.of(b"")
NAMES = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=60)
PATHS = st.lists(NAMES.filter(lambda n: n not in (".", "..")), min_size=1, max_size=5).map("/".join)
KINDS = {b"0": File, b"5": Directory, b"2": Symlink, b"1": HardLink, b"3": Device, b"4": Device, b"6": Fifo}
MEMBERS = st.lists(
    st.tuples(
        PATHS, st.sampled_from(list(KINDS)), st.binary(max_size=1500), PATHS, st.integers(0, 0o7777),
        st.integers(0, 2**32 - 1), st.integers(0, 2**34),
    ),
    max_size=8,
)  # fmt: skip


def decoded(data: bytes, expand: tar.Expand | None = None) -> list[AnyEntry]:
    return list(tar.decode(io.BytesIO(data), BLOB, expand))


def archive(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as writer:
        for info, data in members:
            writer.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name: str, kind: bytes = b"0", data: bytes = b"", **changes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(data)
    for key, value in changes.items():
        setattr(info, key, value)
    return info, data


def header(**changes: bytes | tuple[int, bytes]) -> bytes:
    """One header of a file `a`, with bytes laid over it, and a right checksum."""
    out = bytearray(member("a")[0].tobuf(tarfile.USTAR_FORMAT)[:512])
    places = {"name": 0, "mode": 100, "uid": 108, "gid": 116, "size": 124, "mtime": 136, "kind": 156, "link": 157}
    for key, value in changes.items():
        assert isinstance(value, bytes)
        out[places[key] : places[key] + len(value)] = value
    out[148:156] = b" " * 8
    out[148:156] = b"%06o\0 " % sum(out)
    return bytes(out)


def extension(kind: bytes, body: bytes) -> bytes:
    return header(kind=kind, size=b"%011o\0" % len(body)) + body + b"\0" * (-len(body) % 512)


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    length += len(str(length + len(str(length))))
    return b"%d %s=%s\n" % (length, key, value)


@given(MEMBERS, st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
def test_what_the_standard_library_wrote_is_read(members: list, form: int) -> None:
    infos = []
    for path, kind, data, link, mode, owner, time in members:
        body = data if kind == b"0" else b""
        infos.append(member(path, kind, body, mode=mode, uid=owner, gid=owner, mtime=time, linkname=link))
    whole = archive(*infos, form=form)
    for (info, body), entry in zip(infos, decoded(whole), strict=True):
        assert type(entry) is KINDS[info.type]
        assert (entry.path, entry.mode, entry.uid, entry.mtime) == (info.name, info.mode, info.uid, info.mtime)
        if isinstance(entry, File):
            assert isinstance(entry.content, Slice)
            assert whole[entry.content.offset : entry.content.offset + entry.content.size] == body
        if isinstance(entry, Symlink | HardLink):
            assert entry.target == info.linkname


@settings(max_examples=300)
@given(st.data())
def test_damage_is_refused_or_read_but_never_worse(data: st.DataObject) -> None:
    sound = archive(
        member("d", b"5"), member("d/" + "long" * 60, data=b"x" * 700), member("l", b"2", linkname="d"),
        member("dev", b"4", devmajor=8, devminor=1), member("é" * 70, pax_headers={"SCHILY.xattr.user.a": "1"}),
    )  # fmt: skip
    broken = bytearray(sound[: data.draw(st.integers(0, len(sound)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if broken:
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        entries = decoded(bytes(broken))
    except ValueError:
        return
    for entry in entries:
        assert not {"..", ".", ""} & set(entry.path.split("/")) or not entry.path
        if isinstance(entry, File):
            assert isinstance(entry.content, Slice)
            assert 0 <= entry.content.offset <= entry.content.offset + entry.content.size <= len(broken)


@given(st.binary(max_size=1200))
def test_any_header_is_refused_or_read(noise: bytes) -> None:
    # With a right checksum, so that the fields are looked at.
    body = bytearray(noise.ljust(1536, b"\0"))
    body[148:156] = b" " * 8
    body[148:156] = b"%06o\0 " % sum(body[:512])
    with contextlib.suppress(ValueError):
        decoded(bytes(body), lambda _: Inline(b""))


END = bytes(1024)
NINES = b"\xff" * 12


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (header(size=NINES) + END, "negative"),
        (header(size=b"\x80" + b"\xff" * 11) + END, "too large"),
        (header(size=b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7) + END, "cut short"),
        (header(size=b"77777777777\0") + END, "cut short"),
        (header(size=b"-0000000001\0") + END, "no number"),
        (header(size=b"0000000000x\0") + END, "no number"),
        (header(uid=b"\x80\0\0\x01\0\0\0\0") + END, "no id"),
        (header()[:-1] + b"\1" + END, "checksum"),
        (header()[:300], "cut short"),
        (header() + bytes(512) + header(), "zeros amid"),
        (header(kind=b"V") + END, "unknown type"),
        (header(name=b"../a") + END, "leads out"),
        (header(name=b"a/../../b") + END, "leads out"),
        (header(name=b"x" * 100, kind=b"2") + END, "a link to"),
        (header(kind=b"1", link=b"../x") + END, "leads out"),
        (header(kind=b"S") + END, "not supported here"),
        (extension(b"x", record(b"path", b"a\0b")) + header() + END, "holds a NUL"),
        (extension(b"x", record(b"path", b"/".join([b"a" * 200] * 30))) + header() + END, "longer than"),
        (extension(b"L", b"a" * 300 + b"\0") + header() + END, "longer than"),
        (extension(b"x", record(b"size", b"-1")) + header() + END, "size"),
        (extension(b"x", record(b"size", b"9" * 30)) + header() + END, "size"),
        (extension(b"x", record(b"uid", b"4294967296")) + header() + END, "no id"),
        (extension(b"x", record(b"mtime", b"nan")) + header() + END, "mtime"),
        (extension(b"x", b"9999999999999999999 path=a\n") + header() + END, "pax header"),
        (extension(b"x", b"0 path=a\n") + header() + END, "pax header"),
        (extension(b"x", b"5 a\n" + b"1" * 600) + header() + END, "pax header"),
        (extension(b"x", record(b"path", b"a")), "ends after"),
        (extension(b"x", record(b"comment", b"a")) * 17 + header() + END, "too many extension"),
        (header(kind=b"x", size=b"77777777777\0") + END, "extension header of"),
        (header(kind=b"L", size=b"%011o\0" % (1 << 20)) + END, "cut short"),
        (extension(b"x", record(b"SCHILY.xattr.user.a", b"v" * 70000)) + header() + END, "extended attribute"),
        (extension(b"x", record(b"SCHILY.xattr.", b"v")) + header() + END, "extended attribute"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_hostile_headers_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decoded(data)


@pytest.mark.parametrize(
    ("data", "path", "kind"),
    [
        (header(name=b"old/\0", kind=b"\0") + END, "old", Directory),
        (header(name=b"./a//b/\0", kind=b"5") + END, "a/b", Directory),
        (header(name=b"/etc/passwd\0") + END, "etc/passwd", File),
        (header(name=b"./\0", kind=b"5") + END, "", Directory),
        (header(kind=b"7") + END, "a", File),
        (header(), "a", File),
        (header(size=b"           \0"), "a", File),
        (header(mtime=NINES) + END, "a", File),
        (header(kind=b"2", link=b"../../x") + END, "a", Symlink),
        (extension(b"g", record(b"path", b"evil")) + header() + END, "a", File),
        (extension(b"L", b"long" * 40 + b"\0") + header() + END, "long" * 40, File),
        (extension(b"x", record(b"path", b"p") + record(b"path", b"")) + header() + END, "a", File),
    ],
)
def test_strange_headers_are_read(data: bytes, path: str, kind: type) -> None:
    (entry,) = decoded(data)
    assert (entry.path, type(entry)) == (path, kind)


def test_signed_checksums_and_no_members_at_all() -> None:
    out = bytearray(header(name=b"\xc3\xa9"))
    out[148:156] = b"%06o\0 " % (sum(out) - sum(out[148:156]) + 256 - 512)
    assert decoded(bytes(out))[0].path == "é"
    assert decoded(b"") == decoded(END) == decoded(bytes(10240)) == []


def test_reading_costs_no_more_than_the_members_are() -> None:
    # A member said to be huge is refused before anything is read of it.
    class Counted(io.BytesIO):
        count = 0

        def read(self, size: int | None = -1, /) -> bytes:
            Counted.count += size or 0
            return super().read(size)

    with pytest.raises(ValueError, match="extension header"):
        list(tar.decode(Counted(header(kind=b"x", size=b"00100000001\0") + bytes(1 << 24)), BLOB))
    assert Counted.count <= 512


def expanded(data: bytes) -> tuple[list[AnyEntry], list[bytes]]:
    made: list[bytes] = []

    def expand(found: Sparse) -> Inline:
        out = bytearray(found.size)
        for part in found.stretches:
            out[part.start : part.start + part.size] = data[part.offset : part.offset + part.size]
        made.append(bytes(out))
        return Inline(bytes(out))

    return decoded(data, expand), made


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("tar") is None, reason="needs GNU tar")
@pytest.mark.parametrize("form", ["gnu", "pax0.0", "pax0.1", "pax1.0"])
@pytest.mark.parametrize("pieces", [0, 1, 3, 40])
def test_sparse_files_of_gnu_tar(tmp_path: Path, form: str, pieces: int) -> None:
    with (tmp_path / "hole").open("wb") as out:
        for i in range(pieces):
            out.seek(i * (1 << 18) + 4096)
            out.write(b"%d" % i * 3000)
        out.truncate((pieces + 1) << 18)
    (tmp_path / "after").write_bytes(b"after")
    options = ["--format=gnu"] if form == "gnu" else ["--format=pax", f"--sparse-version={form[3:]}"]
    command = ["tar", "-C", tmp_path, "--sparse", *options, "-cf", "-", "hole", "after"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    entries, made = expanded(data)
    assert [e.path for e in entries] == ["hole", "after"]
    assert made == [(tmp_path / "hole").read_bytes()]
    last = entries[1]
    assert isinstance(last, File)
    assert isinstance(last.content, Slice)
    assert data[last.content.offset :][:5] == b"after"


def sparse_1_0(text: bytes, data: bytes = b"") -> bytes:
    body = text.ljust(len(text) + -len(text) % 512, b"\0") + data
    records = (("major", b"1"), ("minor", b"0"), ("name", b"s"), ("realsize", b"1000"))
    pax = b"".join(record(b"GNU.sparse." + key.encode(), value) for key, value in records)
    return extension(b"x", pax) + header(size=b"%011o\0" % len(body)) + body + b"\0" * (-len(body) % 512) + END


def sparse_0_1(text: bytes, size: bytes = b"1000") -> bytes:
    pax = record(b"GNU.sparse.size", size) + record(b"GNU.sparse.map", text)
    return extension(b"x", pax) + header(size=b"%011o\0" % 10) + b"0123456789".ljust(512, b"\0") + END


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (sparse_1_0, b"1\n990\n20\n"), (sparse_1_0, b"2\n0\n0\n"), (sparse_1_0, b"99999999\n"), (sparse_1_0, b"x\n"),
        (sparse_1_0, b"1\n-1\n1\n"), (sparse_1_0, b"1" * 600), (sparse_0_1, b"0,10,5,10"), (sparse_0_1, b"0"),
        (sparse_0_1, b"0,9"), (sparse_0_1, b"0,11"), (sparse_0_1, b"995,10"), (sparse_0_1, b"10,5,0,5"),
    ],
)  # fmt: skip
def test_faulty_maps_of_sparse_files_are_refused(make: Callable[[bytes], bytes], text: bytes) -> None:
    with pytest.raises(ValueError, match="sparse file"):
        expanded(make(text))


def test_maps_in_pax_headers() -> None:
    assert expanded(sparse_0_1(b"0,4,990,6"))[1] == [b"0123" + bytes(986) + b"456789" + bytes(4)]
    assert expanded(sparse_1_0(b"1\n5\n3\n", b"abc"))[1] == [bytes(5) + b"abc" + bytes(992)]
