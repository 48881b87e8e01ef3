from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.codec import ar

NAME = st.text(st.characters(min_codepoint=33, max_codepoint=126, blacklist_characters="/"), min_size=1, max_size=15)
ENTRIES = st.lists(st.tuples(NAME, st.binary(max_size=300)), max_size=6)


@given(ENTRIES)
def test_what_was_put_in_comes_out(entries: list[tuple[str, bytes]]) -> None:
    data = ar.encode(entries)
    found = list(ar.members(io.BytesIO(data)))
    assert [(m.name, data[m.offset : m.offset + m.size]) for m in found] == entries


@given(ENTRIES.filter(bool), st.data())
def test_a_cut_is_an_error_or_a_whole_prefix(entries: list[tuple[str, bytes]], drawn: st.DataObject) -> None:
    data = ar.encode(entries)
    cut = data[: drawn.draw(st.integers(0, len(data) - 1))]
    try:
        found = list(ar.members(io.BytesIO(cut)))
    except ValueError:
        return
    assert [(m.name, cut[m.offset : m.offset + m.size]) for m in found] == entries[: len(found)]


@given(st.binary(max_size=300))
def test_garbage_is_refused_cleanly(data: bytes) -> None:
    for head in (b"", ar.MAGIC):
        with contextlib.suppress(ValueError):
            list(ar.members(io.BytesIO(head + data)))


@pytest.mark.parametrize("size", [b"-1", b"", b"1e3", b"9999999999", "\u0661".encode()])
def test_a_size_that_is_none_is_refused(size: bytes) -> None:
    data = bytearray(ar.encode([("x", b"abc")]))
    data[8 + 48 : 8 + 58] = size.ljust(10)
    with pytest.raises(ValueError, match=r"size|cut short"):
        list(ar.members(io.BytesIO(bytes(data))))


@pytest.mark.parametrize("name", ["", "a/b", "sixteen-letters!", "\u00e9"])
def test_a_name_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        ar.encode([(name, b"")])


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("ar"), reason="no ar")
def test_the_real_tool_reads_it(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_bytes(ar.encode([("debian-binary", b"2.0\n"), ("data.tar", b"abc")]))
    listed = subprocess.run(["ar", "t", "x.deb"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert listed.stdout.split() == ["debian-binary", "data.tar"]
    printed = subprocess.run(["ar", "p", "x.deb", "data.tar"], cwd=tmp_path, capture_output=True, check=True)
    assert printed.stdout == b"abc"
