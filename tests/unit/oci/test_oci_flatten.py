from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.codec import tar
from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import flatten as flattening
from finback.oci import image
from finback.oci.flatten import flatten
from finback.tree import link
from finback.tree.content import Inline, read_inline
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Symlink

CONFIG = {"os": "linux", "architecture": "amd64"}


def f(path: str, data: bytes = b"") -> File:
    return File(path=path, content=Inline(data))


def paths(*layers: list[AnyEntry]) -> list[str]:
    return [e.path for e in flatten(layers)]


def test_whiteouts_and_opaque_directories() -> None:
    lower = [f("a/1"), f("a/2"), f("b/1"), f("c"), f("d/e/f")]
    upper = [f("a/.wh.1"), f("b/.wh..wh..opq"), f("b/2"), f("c", b"new"), f(".wh.d"), f(".wh..wh.plnk"), f(".wh.none")]
    tree = flatten([lower, upper])
    assert [e.path for e in tree] == ["a", "a/2", "b", "b/2", "c"]
    last = tree[-1]
    assert isinstance(last, File)
    assert last.content == Inline(b"new")


@given(st.randoms(use_true_random=False))
def test_a_whiteout_never_hides_what_its_own_layer_brings(rng: random.Random) -> None:
    lower = [f("d/old"), f("d/same", b"1"), f("e/old"), f("g/h/old")]
    upper: list[AnyEntry] = [
        f(".wh.d"), f("d/new"), f("d/same", b"2"), f("e/.wh..wh..opq"), f("e/new"), f("g/.wh.h"), f("g/h/new"),
        f("d/.wh.new"), f("d/.wh..wh..opq"),
    ]  # fmt: skip
    rng.shuffle(upper)
    tree = flatten([lower, upper])
    assert [e.path for e in tree] == ["d", "d/new", "d/same", "e", "e/new", "g", "g/h", "g/h/new"]
    assert tree[2] == f("d/same", b"2")


def test_directories_come_first_and_parents_are_supplied() -> None:
    tree = flatten([[f("x/y/z"), Directory(path="x", mode=0o700), Directory(path="", mode=0o711)]])
    assert [(e.path, e.mode) for e in tree] == [("x", 0o700), ("x/y", 0o755), ("x/y/z", 0o644)]
    assert paths([f("a/b"), f("a.b"), f("a-b"), f("a/a")]) == ["a", "a/a", "a/b", "a-b", "a.b"]


def test_hard_links_stay_links_and_outlive_their_target() -> None:
    assert flatten([[f("b", b"1"), HardLink(path="a", target="b"), HardLink(path="c", target="a")]]) == [
        f("a", b"1"), HardLink(path="b", target="a"), HardLink(path="c", target="a"),
    ]  # fmt: skip
    link_to_a = HardLink(path="b", target="a")
    assert flatten([[f("a", b"1"), link_to_a], [f(".wh.a")]]) == [f("b", b"1")]
    # The target is in the layer below, and hidden or replaced by the layer that links to it.
    for upper in ([f(".wh.a"), link_to_a], [link_to_a, f(".wh.a")]):
        assert flatten([[f("a", b"1")], upper]) == [f("b", b"1")]
    assert flatten([[f("a", b"1")], [link_to_a, f("a", b"2")]]) == [f("a", b"2"), f("b", b"1")]
    assert flatten([[f("a", b"1")], [f("a", b"2"), link_to_a]]) == [f("a", b"2"), link_to_a]
    # Two files with the same bytes are two files.
    assert flatten([[f("a", b"1"), f("b", b"1")]]) == [f("a", b"1"), f("b", b"1")]


def test_hard_links_to_what_is_no_file() -> None:
    for other in (Symlink(path="a", target="x"), Fifo(path="a"), Device(path="a", block=False, major=1, minor=3)):
        tree = flatten([[other, HardLink(path="b", target="a")]])
        assert [type(e) for e in tree] == [type(other)] * 2
    assert flatten([[f("a"), HardLink(path="a", target="a")]]) == [f("a")]
    for layer in ([Directory(path="a"), HardLink(path="b", target="a")], [HardLink(path="b", target="a")]):
        with pytest.raises(ValueError, match="there is no file a"):
            flatten([layer])


def test_kinds_replace_each_other() -> None:
    assert paths([f("d/x")], [f("d")]) == ["d"]
    assert paths([f("d")], [Directory(path="d"), f("d/x")]) == ["d", "d/x"]
    assert flatten([[f("a", b"1"), f("a", b"2")]]) == [f("a", b"2")]
    merged = flatten([[Directory(path="d", mode=0o700), f("d/x")], [Directory(path="d", mode=0o711, uid=5)]])
    assert merged == [Directory(path="d", mode=0o711, uid=5), f("d/x")]
    # A device with the numbers of an overlay's whiteout is a device in a layer.
    assert len(flatten([[f("a")], [Device(path="a", block=False, major=0, minor=0)]])) == 1


def test_paths_lead_through_links_but_not_out_of_the_tree() -> None:
    usr = [Directory(path="usr/lib"), Symlink(path="lib", target="usr/lib")]
    assert paths(usr, [f("lib/a")]) == ["lib", "usr", "usr/lib", "usr/lib/a"]
    assert paths(usr, [f("lib/a")], [f("lib/.wh.a")]) == ["lib", "usr", "usr/lib"]
    assert paths(usr, [Directory(path="lib"), f("lib/a")]) == ["lib", "lib/a", "usr", "usr/lib"]
    for target in ("/etc", "../../etc", "../etc/.", "/../etc/x/.."):
        made = paths([Directory(path="etc/x"), Symlink(path="d", target=target)], [f("d/passwd")])
        assert made == ["d", "etc", "etc/passwd", "etc/x"]
    assert paths([Symlink(path="d", target="none/where"), f("d/a")]) == ["d", "none", "none/where", "none/where/a"]
    hard = flatten([[*usr, f("usr/lib/a", b"1")], [HardLink(path="b", target="lib/a")]])
    assert hard[0] == f("b", b"1")


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([f("a"), f("a/b")], "no directory"),
        ([Symlink(path="a", target="b"), Symlink(path="b", target="a"), f("a/x")], "too many"),
        ([Symlink(path="a", target="a/a"), f("a/x")], "too many"),
        ([f("x/.wh..")], "of nothing"),
        ([f(".wh.")], "of nothing"),
        ([f("x/.wh...")], "of nothing"),
        ([f(".wh.a/b")], "reserved"),
        ([f("")], "root"),
        (
            [Symlink(path="a", target="x/" * 2040), Symlink(path="x/" * 2040 + "b", target="y/" * 1000), f("a/b/z")],
            "deep",
        ),
    ],
)
def test_hostile_layers_are_refused(entries: list[AnyEntry], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        flatten([entries])


def test_ways_through_links_are_bounded_in_all() -> None:
    ring = [Symlink(path=f"l{i}", target="./" * 2000 + f"l{i + 1}") for i in range(30)]
    layer = [*ring, Directory(path="l30"), *(f(f"l0/{i}") for i in range(100_000))]
    begun = time.monotonic()
    with pytest.raises(ValueError, match="too many"):
        flatten([layer])
    assert time.monotonic() - begun < 30


def test_large_layers_take_time_in_proportion() -> None:
    def seconds(count: int) -> float:
        files = [f(f"d{i % 1000}/file{i}") for i in range(count)]
        whiteouts = [f(f"d{i % 1000}/.wh.file{i}") for i in range(0, count, 2)]
        again = [f(f"d{i % 1000}/file{i}") for i in range(0, count, 4)]
        begun = time.process_time()
        assert len(flatten([files, [*whiteouts, *again]])) == 1000 + count // 4 + count // 2
        return time.process_time() - begun

    small, large = seconds(10_000), seconds(80_000)
    # Eight times as much; a quadratic way would take 64 times as long.
    assert large < 25 * max(small, 0.02)


def stored(store: Store, *layers: bytes) -> Digest:
    return image.write(store, [store.put(layer) for layer in layers], CONFIG)


def archive(*entries: AnyEntry) -> bytes:
    return b"".join(bytes(c) for c in tar.encode(entries, read_inline))


def test_an_image_is_read_from_the_store_with_what_its_tars_say(store: Store) -> None:
    capability = (("security.capability", b"\x01\0\0\x02"), ("user.\udcff", b""[:0] + b"v"))
    kept = [
        File(path="bin", content=Inline(b"#!" * 999), xattrs=capability, uid=1 << 20, mtime=9),
        Device(path="null", block=False, major=1, minor=3), Fifo(path="p"), f("long" * 50, b"l"),
    ]  # fmt: skip
    tree = flattening.entries(store, stored(store, archive(*kept), archive(f(".wh.p"))))
    assert [(e.path, e.xattrs, e.uid) for e in tree] == [(e.path, e.xattrs, e.uid) for e in (kept[0], kept[3], kept[1])]
    first = tree[0]
    assert isinstance(first, File)
    assert b"".join(store.chunks(first.content)) == b"#!" * 999


def test_a_sparse_file_becomes_a_blob_within_bounds(store: Store) -> None:
    def sparse(size: int) -> bytes:
        pax = b"".join(
            b"%d %s\n" % (len(r) + 4, r) for r in (b"GNU.sparse.size=%09d" % size, b"GNU.sparse.map=000100,000005")
        )
        holder = bytearray(archive(f("x", pax))[:-1024])
        holder[156:157] = b"x"
        holder[148:156] = b" " * 8
        holder[148:156] = b"%06o\0 " % sum(holder[:512])
        return bytes(holder) + archive(f("s", b"hello"))

    for _ in range(2):
        (entry,) = flattening.entries(store, stored(store, sparse(3 << 20)))
        assert isinstance(entry, File)
        assert b"".join(store.chunks(entry.content)) == bytes(100) + b"hello" + bytes((3 << 20) - 105)
    flattening.MAX_SPARSE, before = 1 << 20, flattening.MAX_SPARSE
    try:
        with pytest.raises(FinbackError, match="sparse files have more than"):
            flattening.entries(store, stored(store, sparse((3 << 20) + 1)))
    finally:
        flattening.MAX_SPARSE = before


def test_a_small_layer_does_not_become_a_large_one(store: Store) -> None:
    """2 GiB of holes in 3 KiB, at once and in many files; nothing of them is written."""

    def holes(size: int, count: int) -> bytes:
        pax = b"30 GNU.sparse.size=%010d\n22 GNU.sparse.map=0,5\n" % size
        holder = bytearray(archive(f("x", pax))[:-1024])
        holder[156:157] = b"x"
        holder[148:156] = b" " * 8
        holder[148:156] = b"%06o\0 " % sum(holder[:512])
        return b"".join(bytes(holder) + archive(f(f"s{n}", b"hello"))[:-1024] for n in range(count)) + bytes(1024)

    for data in (holes(1 << 31, 1), holes(100 << 20, 3)):
        before = sum(p.stat().st_size for p in store.root.rglob("*") if p.is_file())
        with pytest.raises(FinbackError, match="sparse files have more than") as failure:
            flattening.entries(store, stored(store, data))
        assert failure.value.diagnostics[0].code == "F125"
        after = sum(p.stat().st_size for p in store.root.rglob("*") if p.is_file())
        assert after - before < 300 << 20


def test_a_faulty_layer_is_said(store: Store) -> None:
    with pytest.raises(FinbackError, match="checksum") as failure:
        flattening.entries(store, stored(store, b"no archive".ljust(1024)))
    assert failure.value.diagnostics[0].code == "F125"


def test_a_file_lives_on_under_a_name_that_is_kept() -> None:
    tree = flatten([[f("a", b"1"), *(HardLink(path=p, target="a") for p in "bcd")]])
    assert list(link.only(tree, lambda path: path != "a")) == [
        f("b", b"1"), HardLink(path="c", target="b"), HardLink(path="d", target="b"),
    ]  # fmt: skip
    assert list(link.only(tree, lambda path: path == "d")) == [f("d", b"1")]
    assert list(link.only(tree, lambda _: True)) == tree
