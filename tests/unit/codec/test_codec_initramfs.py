"""Measuring an initramfs."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.codec import cpio
from finback.codec.compress import compress
from finback.codec.initramfs import PAGE, unpacked
from finback.tree.content import Inline, read_inline
from finback.tree.entry import Directory, File, HardLink

METHODS = st.sampled_from(["zstd", "gzip", "none"])


def archive(sizes: list[int], method: str, name: str = "f") -> bytes:
    entries = [Directory(path="d"), *(File(path=f"d/{name}{i}", content=Inline(b"x" * n)) for i, n in enumerate(sizes))]
    data = b"".join(compress(cpio.encode(entries, read_inline), method))
    return data + b"\0" * (-len(data) % 4)


def measure(data: bytes, limit: int = 1 << 40) -> int:
    return unpacked(io.BytesIO(data).read, limit)


@given(st.lists(st.tuples(METHODS, st.lists(st.integers(0, 3 * PAGE), max_size=4)), max_size=4), st.integers(0, 3))
def test_archives_in_a_row(parts: list[tuple[str, list[int]]], padding: int) -> None:
    data = b"".join(archive(sizes, method) + bytes(4 * padding) for method, sizes in parts)
    pages = sum(-(-size // PAGE) for _, sizes in parts for size in sizes)
    assert measure(data) == pages * PAGE


def test_the_names_of_one_file_count_once() -> None:
    entries = [File(path="a", content=Inline(b"x" * 5000)), HardLink(path="b", target="a")]
    assert measure(b"".join(bytes(c) for c in cpio.encode(entries, read_inline))) == 2 * PAGE


def test_the_count_ends_above_the_limit() -> None:
    data = archive([100 * PAGE] * 50, "zstd")
    assert 100 * PAGE < measure(data, 100 * PAGE) <= 300 * PAGE
    # What follows is not even read.
    assert measure(archive([5], "none") + b"nonsense", 1) == PAGE


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"nonsense", "neither an archive"),
        (archive([9000], "zstd")[:60], "cut short"),
        (archive([9000], "none")[:600], "cut short"),
        (b"".join(compress([b"no archive at all" * 9], "gzip")), "no archive"),
        (b"070701" + b"zz" * 60, "invalid literal"),
    ],
)
def test_what_is_no_initramfs(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        measure(data)
