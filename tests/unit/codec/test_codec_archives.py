from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.codec import ar, cpio, elf, iso9660, tar
from finback.codec.compress import compress
from finback.ground.digest import Digest
from finback.tree.content import Inline, read_inline
from finback.tree.entry import Device, Directory, Fifo, File, HardLink, Socket, Symlink

NAME = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=60).filter(
    lambda s: s not in (".", "..") and not s.startswith(("TRAILER", ".wh."))
)
PATH = st.lists(NAME, min_size=1, max_size=4).map("/".join)
OWNER = {
    "mode": st.integers(0, 0o7777),
    "uid": st.integers(0, 0xFFFFFFFF),
    "gid": st.integers(0, 0xFFFFFFFF),
    "mtime": st.integers(0, 0xFFFFFFFF),
}
DATA = st.binary(max_size=2000).map(Inline)
ENTRY = st.one_of(
    st.builds(Directory, path=PATH, **OWNER),
    st.builds(File, path=PATH, content=DATA, **OWNER),
    st.builds(Symlink, path=PATH, target=PATH, **OWNER),
    st.builds(
        Device, path=PATH, block=st.booleans(), major=st.integers(0, 4095), minor=st.integers(0, 0xFFFFF), **OWNER
    ),
    st.builds(Fifo, path=PATH, **OWNER),
)
TREE = st.lists(ENTRY, max_size=12, unique_by=lambda e: e.path)


@given(st.lists(st.one_of(ENTRY, st.builds(Socket, path=PATH, **OWNER)), max_size=12, unique_by=lambda e: e.path))
def test_cpio_comes_back_as_it_went(tree: list) -> None:
    data = b"".join(bytes(c) for c in cpio.encode(tree, read_inline))
    assert len(data) % 512 == 0
    assert cpio.decode(data) == tree


def test_cpio_keeps_hard_links_and_refuses_one_without_target() -> None:
    tree = [File(path="a", content=Inline(b"x")), HardLink(path="b", target="a")]
    data = b"".join(bytes(c) for c in cpio.encode(tree, read_inline))
    assert cpio.decode(data) == tree
    with pytest.raises(ValueError, match="is no file of the archive"):
        list(cpio.encode([HardLink(path="b", target="a")], read_inline))


@given(st.binary(max_size=400))
def test_cpio_decode_refuses_garbage_cleanly(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        cpio.decode(data)


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("cpio"), reason="no cpio")
def test_cpio_lists_in_the_real_tool() -> None:
    tree = [Directory(path="etc"), File(path="etc/motd", content=Inline(b"hello")), Symlink(path="l", target="etc")]
    data = b"".join(bytes(c) for c in cpio.encode(tree, read_inline))
    done = subprocess.run(["cpio", "-it", "--quiet"], input=data, capture_output=True, check=True)
    assert done.stdout.decode().split() == ["etc", "etc/motd", "l"]


@given(TREE)
def test_tar_comes_back_as_it_went(tree: list) -> None:
    data = b"".join(bytes(c) for c in tar.encode(tree, read_inline))
    back = list(tar.decode(io.BytesIO(data), Digest.of(b"")))
    assert [e.path for e in back] == [tar.clean(e.path) for e in tree]
    for before, after in zip(tree, back, strict=True):
        assert (after.mode, after.uid, after.gid, type(after)) == (before.mode, before.uid, before.gid, type(before))
        if isinstance(before, File):
            at = after.content
            assert data[at.offset : at.offset + at.size] == before.content.data
        if isinstance(before, Symlink):
            assert after.target == before.target


def test_tar_has_no_place_for_a_socket() -> None:
    with pytest.raises(ValueError, match="a/s: a tar has no sockets"):
        list(tar.encode([Socket(path="a/s")], read_inline))


def test_tar_carries_xattrs_and_records_that_the_standard_library_reads() -> None:
    tree = [File(path="p" * 120, content=Inline(b"1"), xattrs=(("security.capability", b"\x01\x00\xff"),))]
    data = b"".join(bytes(c) for c in tar.encode(tree, read_inline, lambda e: {"LINUXKIT.source": "x"}))
    assert next(tar.decode(io.BytesIO(data), Digest.of(b""))).xattrs == tree[0].xattrs
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.getmembers()[0]
    assert member.name == "p" * 120
    assert member.pax_headers["LINUXKIT.source"] == "x"


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/../../etc/passwd", "a/../b"])
def test_tar_names_that_leave_the_tree_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="leads out"):
        tar.clean(name)


def test_tar_cut_short_is_an_error() -> None:
    data = b"".join(bytes(c) for c in tar.encode([File(path="a", content=Inline(b"x" * 2000))], read_inline))
    with pytest.raises(ValueError):  # noqa: PT011 - the library's words vary
        list(tar.decode(io.BytesIO(data[:900]), Digest.of(b"")))


def test_ar_members_and_damage() -> None:
    data = ar.encode([("debian-binary", b"2.0\n"), ("data.tar.xz", b"abc")])
    assert [(m.name, m.size) for m in ar.members(io.BytesIO(data))] == [("debian-binary", 4), ("data.tar.xz", 3)]
    for bad in (b"", b"!<arch>\nxx", data[:-3]):
        with pytest.raises(ValueError):  # noqa: PT011
            list(ar.members(io.BytesIO(bad)))


@given(st.binary(max_size=600))
def test_elf_decode_refuses_garbage_cleanly(data: bytes) -> None:
    for head in (b"", b"\x7fELF\x02\x01", b"\x7fELF\x01\x02"):
        with contextlib.suppress(ValueError):
            elf.decode(head + data)


@pytest.mark.parametrize("method", ["zstd", "gzip", "none"])
def test_compression_is_deterministic_whatever_the_chunks(method: str) -> None:
    data = bytes(range(256)) * 20000
    whole = b"".join(compress([data], method))
    pieces = b"".join(compress([data[i : i + 777] for i in range(0, len(data), 777)], method))
    assert whole == b"".join(compress([data], method))
    if method != "zstd":
        assert whole == pieces
    else:
        from finback.codec.compress import zstd_decompressor

        assert zstd_decompressor().decompress(pieces) == data
        assert pieces == b"".join(compress([data[i : i + 777] for i in range(0, len(data), 777)], method))


def test_iso_holds_the_files() -> None:
    image = iso9660.small("config", {"config": b"hello"})
    assert image[16 * 2048 + 1 : 16 * 2048 + 6] == b"CD001"
    assert image[16 * 2048 + 40 : 16 * 2048 + 46] == b"config"
    assert b"hello" in image
    assert iso9660.small("config", {"config": b"hello"}) == image
    with pytest.raises(ValueError, match="no folders"):
        iso9660.small("config", {"x/y": b""})
