"""SquashFS and EROFS without their tools: the same bytes always, and what can't be held is refused."""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finback.codec import erofs, squashfs
from finback.codec.crc32c import crc32c
from finback.codec.duplicates import firsts
from finback.codec.erofs.compressor import compressor as erofs_compressor
from finback.codec.erofs.layout import BLOCK, Room
from finback.codec.squashfs.compressor import compressor
from finback.codec.squashfs.data import Placement
from finback.codec.squashfs.inode import Inodes
from finback.codec.squashfs.xattr import Xattrs
from finback.ground.digest import Digest
from finback.tree.content import Content, Inline, Slice, part, read_inline
from finback.tree.entry import AnyEntry, Device, Directory, File, HardLink, Symlink
from finback.tree.node import Node, inodes, root
from trees import content, trees

BLOB = Digest("sha256", "1" * 64)
SOME = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def squash(entries: Iterable[AnyEntry], **how: Any) -> bytes:
    making = squashfs.encode(entries, read_inline, squashfs.Settings(**how))
    body = bytearray()
    while True:
        try:
            body += next(making)
        except StopIteration as end:
            return bytes(end.value + body)


def ero(entries: Iterable[AnyEntry], **how: Any) -> bytes:
    return b"".join(erofs.encode(entries, read_inline, erofs.Settings(**how)))


@SOME
@given(tree=trees())
def test_squashfs_is_the_same_for_any_number_of_workers(tree: list[AnyEntry]) -> None:
    once = squash(tree, workers=1, level=1)
    assert squash(tree, workers=2, level=1) == once
    assert squash(tree, workers=7, level=1) == once
    assert len(once) % 4096 == 0
    assert once[:4] == b"hsqs"


@SOME
@given(tree=trees())
def test_the_order_of_siblings_does_not_matter(tree: list[AnyEntry]) -> None:
    """Directories come before what is in them; a further name of a file may come anywhere."""
    depth = sorted(tree, key=lambda e: (isinstance(e, HardLink), e.path.count("/"), e.path[::-1]))
    first = {e.target: e.path for e in reversed(tree) if isinstance(e, HardLink)}
    if not first:
        assert ero(depth) == ero(tree)
        assert squash(depth, method="none") == squash(tree, method="none")


def ero_compressed(entries: Iterable[AnyEntry], **how: Any) -> bytes:
    making = erofs.compressed(entries, read_inline, erofs.Settings(**how))
    body = bytearray()
    while True:
        try:
            body += next(making)
        except StopIteration as end:
            return bytes(end.value + body)


@SOME
@given(tree=trees(), method=st.sampled_from(["lz4", "zstd", "gzip"]))
def test_a_compressed_erofs_is_the_same_for_any_number_of_workers(tree: list[AnyEntry], method: str) -> None:
    once = ero_compressed(tree, workers=1, level=1, method=method)
    assert ero_compressed(tree, workers=2, level=1, method=method) == once
    assert ero_compressed(tree, workers=7, level=1, method=method) == once
    assert struct.unpack_from("<I", once, 1024 + 36)[0] == len(once) // BLOCK
    unchecked = once[1024:1028] + bytes(4) + once[1032:BLOCK]
    assert struct.unpack_from("<I", once, 1028)[0] == crc32c(unchecked) ^ 0xFFFFFFFF


@SOME
@given(parts=st.lists(st.tuples(st.integers(1, 40_000), st.sampled_from([0, 1, 3])), min_size=1, max_size=40))
def test_clusters_are_full_and_give_the_bytes_again(parts: list[tuple[int, int]]) -> None:
    data = b"".join(cast("Inline", content(size, pattern)).data for size, pattern in parts)
    chosen = erofs_compressor("gzip", 6)
    stored, extents = chosen.pack(data)
    at = begin = 0
    for number, extent in enumerate(extents):
        piece = stored[at : at + extent.blocks * BLOCK]
        last = number == len(extents) - 1
        # A place in the file leads to one cluster at most, so that all but the last are a block long at least.
        assert last or extent.length >= BLOCK
        if extent.raw:
            assert extent.blocks == 1
            given = piece[: extent.length]
        else:
            assert extent.blocks <= chosen.cluster
            assert extent.blocks * BLOCK < extent.length
            given = zlib.decompress(piece.lstrip(b"\0"), wbits=-15)
        assert given == data[begin : begin + extent.length]
        at, begin = at + len(piece), begin + extent.length
    assert (at, begin) == (len(stored), len(data))


def test_what_begins_with_a_zero_is_not_taken_for_compressed() -> None:
    noise = random.Random(1).randbytes(20_000)
    assert zlib.compress(noise, 1, wbits=-15)[0] == 0
    _, extents = erofs_compressor("gzip", 1).pack(noise)
    assert all(e.raw for e in extents)


@pytest.mark.parametrize(("method", "level"), [("xz", None), ("lz4", 13), ("lz4", 0), ("gzip", 10), ("none", None)])
def test_erofs_refuses_other_compressors(method: str, level: int | None) -> None:
    with pytest.raises(ValueError, match=method):
        erofs_compressor(method, level)


@SOME
@given(tree=trees())
def test_erofs_is_the_same_twice_and_whole_blocks(tree: list[AnyEntry]) -> None:
    made = ero(tree, mtime=1000)
    assert made == ero(tree, mtime=1000)
    assert len(made) % BLOCK == 0
    assert struct.unpack_from("<I", made, 1024 + 36)[0] == len(made) // BLOCK
    unchecked = made[1024:1028] + bytes(4) + made[1032:BLOCK]
    assert struct.unpack_from("<I", made, 1028)[0] == crc32c(unchecked) ^ 0xFFFFFFFF


def test_memory_is_bounded_while_blocks_are_compressed() -> None:
    size, block = 256 << 20, 131072
    asked = written = ahead = 0

    def read(what: Content) -> Iterator[bytes]:
        nonlocal asked
        for number in range(what.size // block):
            asked += block
            yield number.to_bytes(8, "little") * (block // 8)

    making = squashfs.encode(
        [File(path="f", content=Slice(BLOB, 0, size))], read, squashfs.Settings(level=1, workers=2)
    )
    for _ in range(size // block):
        next(making)
        written += block
        ahead = max(ahead, asked - written)
    assert asked == size
    assert ahead <= 16 * block


def test_the_same_bytes_are_stored_once() -> None:
    noise = content(300_000, 3)
    assert isinstance(noise, Inline)
    short, other = content(3000, 4), content(3000, 5)
    one = [File(path="a", content=noise), File(path="s", content=short), File(path="o", content=other)]
    two = [*one, File(path="b", content=Inline(bytes(noise.data))), File(path="t", content=short, mode=0o600)]
    for encode in (squash, ero):
        assert len(encode(two)) - len(encode(one)) <= BLOCK


def test_holes_take_no_room() -> None:
    tree = [File(path="zeros", content=Inline(bytes(5 << 20))), File(path="mixed", content=content(6 << 20, 6))]
    assert len(ero(tree)) < 5 << 20
    assert len(squash(tree, method="none")) < 5 << 20


def test_duplicates_are_told_by_their_bytes() -> None:
    same, also = Inline(b"a" * 5000), Slice(BLOB, 7, 5000)
    head_only = Inline(b"a" * 4096 + b"b" * 904)
    longer = Inline(b"a" * 5001)

    def read(what: Content) -> Iterable[bytes]:
        return (b"a" * what.size,) if isinstance(what, Slice) else (what.data,)

    assert firsts([same, also, head_only, longer], read) == {
        same: same, also: same, head_only: head_only, longer: longer
    }  # fmt: skip


def test_a_part_of_a_content() -> None:
    assert part(Inline(b"abcdef"), 2, 3) == Inline(b"cde")
    assert part(Slice(BLOB, 10, 100), 5, 7) == Slice(BLOB, 15, 7)


def test_nodes_are_numbered_and_counted() -> None:
    tree = [
        Directory(path="b"), File(path="b/z"), File(path="b/a"), Directory(path="b/m"), HardLink(path="h", target="b/z")
    ]  # fmt: skip
    top = root(tree)
    assert [n.entry.path for n in inodes(top)] == ["", "b", "b/a", "b/m", "b/z"]
    assert [n.number for n in inodes(top)] == [1, 2, 3, 4, 5]
    assert [n.links for n in inodes(top)] == [3, 3, 1, 2, 2]


@pytest.mark.parametrize("encode", [squash, ero])
@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ([File(path="a/b")], "before its directory"),
        ([File(path="a"), File(path="a/b")], "in something else"),
        ([File(path="a"), Directory(path="a")], "twice"),
        ([HardLink(path="a", target="b")], "no file of the tree"),
        ([File(path="b"), HardLink(path="b", target="b")], "twice"),
        ([Directory(path="b"), HardLink(path="a", target="b")], "no file of the tree"),
        ([File(path="x" * 256)], "1 to 255 bytes"),
        ([Symlink(path="l", target="")], "1 to 4095 bytes"),
        ([Symlink(path="l", target="x" * 4096)], "1 to 4095 bytes"),
        ([Device(path="d", block=True, major=4096, minor=0)], "no device"),
        ([File(path="f", uid=1 << 32)], "4294967296"),
        ([File(path="f", mtime=-1)], "-1 does not fit"),
        ([File(path="f", xattrs=(("nothing", b""),))], "no place for the extended attribute nothing"),
        ([File(path="f", xattrs=(("user.a", bytes(70_000)),))], "too long"),
    ],
)
def test_what_cannot_be_held_is_refused(encode: Any, tree: list[AnyEntry], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        encode(tree)


def test_a_content_that_is_not_as_long_as_it_says_is_refused() -> None:
    def read(_: Content) -> Iterable[bytes]:
        return (b"short",)

    for size in (100, 200_000, 5 << 20):
        tree = [File(path="f", content=Slice(BLOB, 0, size))]
        with pytest.raises(ValueError, match="gave"):
            list(squashfs.encode(tree, read))
        with pytest.raises(ValueError, match="gave"):
            list(erofs.encode(tree, read))


def test_settings_are_checked() -> None:
    for how in ({"block_size": 5000}, {"method": "lzo"}, {"level": 23}, {"method": "gzip", "level": 0}, {"mtime": -1}):
        with pytest.raises(ValueError, match=r"block|compression|level|time"):
            squash([], **how)
    for how in ({"uuid": b"short"}, {"label": b"x" * 16}, {"mtime": -1}):
        with pytest.raises(ValueError, match="UUID"):
            ero([], **how)


def test_too_many_users_are_refused() -> None:
    with pytest.raises(ValueError, match="65536 users"):
        squash([File(path=str(n), uid=n) for n in range(65537)], method="none")


def test_acls_fit_erofs_only() -> None:
    acl = struct.pack("<IHHIHHI", 2, 1, 6, 0xFFFFFFFF, 4, 4, 0xFFFFFFFF)
    tree = [File(path="f", xattrs=(("system.posix_acl_access", acl),))]
    assert acl in ero(tree)
    with pytest.raises(ValueError, match="posix_acl_access"):
        squash(tree)


def test_a_large_directory_has_an_index() -> None:
    """A header that the index names for every 8 KiB of the listing: fs/squashfs/namei.c reads on from there."""
    squeezer = compressor("none", None, 131072)
    made = Inodes(squeezer, Xattrs(squeezer))
    top = root([File(path=f"{n:05d}") for n in range(20_000)])
    for node in inodes(top):
        if node is not top:
            made.add(node, Placement())
    listing, index = made._listing(top)
    assert len(listing) // 8192 <= len(index) <= len(listing) // 8192 + 3
    for (at, name), (following, _) in pairwise([*index, (len(listing), b"")]):
        assert following - at <= 8192
        assert listing[at + 20 : at + 20 + len(name)] == name
    assert made._listing(Node(Directory(path=""), links=2)) == (b"", [])


def test_crc32c_is_that_of_the_standard() -> None:
    """RFC 3720, B.4."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert zlib.crc32(bytes(32)) != 0x8A9136AA


def test_room_is_given_within_blocks_and_gaps_are_used() -> None:
    room = Room()
    places = [room.take(n) for n in (3000, 2000, 64, 900)]
    assert places[0] % BLOCK == 0
    assert places[2] < places[0]
    assert places[3] + 900 <= 2 * BLOCK
    taken = sorted(zip(places, (3000, 2000, 64, 900), strict=True))
    assert all(a + size <= b for (a, size), (b, _) in pairwise(taken))


def test_the_number_of_processors_decides_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = [File(path=str(n), content=content(200_000, n)) for n in range(1, 9)]
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    three = squash(tree)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert squash(tree) == three
