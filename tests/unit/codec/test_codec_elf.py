from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.codec import elf

NAME = st.text(st.characters(min_codepoint=33, max_codepoint=126, blacklist_characters=":"), min_size=1, max_size=40)
MakeElf = Callable[..., bytes]


@given(
    wide=st.booleans(),
    order=st.sampled_from("<>"),
    machine=st.integers(0, 65535),
    kind=st.integers(1, 4),
    interpreter=st.one_of(st.just(""), NAME),
    needed=st.lists(NAME, max_size=5).map(tuple),
    soname=st.one_of(st.just(""), NAME),
    runpath=st.lists(NAME, max_size=3),
)
def test_what_was_put_in_comes_out(make_elf: MakeElf, wide: bool, runpath: list[str], **given_: object) -> None:
    data = make_elf(wide=wide, runpath=":".join(runpath), **given_)
    given_.pop("order")
    given_["type"] = given_.pop("kind")
    assert elf.decode(data) == elf.Elf(bits=64 if wide else 32, runpath=tuple(runpath), **given_)


def test_rpath_counts_only_without_runpath(make_elf: MakeElf) -> None:
    found = elf.decode(make_elf(rpath="$ORIGIN/../lib:/b"))
    assert (found.rpath, found.runpath) == (("$ORIGIN/../lib", "/b"), ())
    found = elf.decode(make_elf(rpath="/a", runpath="/b"))
    assert (found.rpath, found.runpath) == ((), ("/b",))


@given(st.binary(max_size=600))
def test_garbage_is_refused_cleanly(data: bytes) -> None:
    for head in (b"", b"\x7fELF\x02\x01", b"\x7fELF\x01\x02"):
        with contextlib.suppress(ValueError):
            elf.decode(head + data)


@given(at=st.integers(0, 400), byte=st.integers(0, 255), cut=st.integers(0, 500))
def test_damage_is_an_error_or_another_answer_never_a_crash(make_elf: MakeElf, at: int, byte: int, cut: int) -> None:
    data = bytearray(make_elf(interpreter="/lib/ld.so", needed=("liba.so", "libb.so"), soname="x", runpath="$ORIGIN"))
    data[at % len(data)] = byte
    with contextlib.suppress(ValueError):
        elf.decode(bytes(data[: len(data) - cut] if cut < len(data) else data))


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, b"\x7fELX", "not an ELF file"),
        (4, b"\3", "class"),
        (5, b"\0", "byte order"),
        (54, b"\1\0", "too small"),
        (56, b"\xff\xff", "too many"),
    ],
)
def test_what_is_wrong_is_said(make_elf: MakeElf, at: int, value: bytes, words: str) -> None:
    data = bytearray(make_elf(needed=("liba.so",)))
    data[at : at + len(value)] = value
    with pytest.raises(ValueError, match=words):
        elf.decode(bytes(data))


def test_only_the_parts_that_matter_are_read(make_elf: MakeElf) -> None:
    data = make_elf(interpreter="/lib/ld.so", needed=("liba.so",)) + bytes(1 << 20)
    asked: list[int] = []

    def at(offset: int, size: int) -> bytes:
        asked.append(size)
        return data[offset : offset + size]

    assert elf.read(at).needed == ("liba.so",)
    assert sum(asked) < 2000


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("readelf") or sys.platform != "linux", reason="no readelf")
def test_readelf_agrees() -> None:
    program = Path(sys.executable).resolve()
    shown = subprocess.run(["readelf", "-dlW", program], capture_output=True, text=True, check=True).stdout
    data = program.read_bytes()
    found = elf.decode(data)
    needed = [line.split("[")[1].rstrip("]") for line in shown.splitlines() if "(NEEDED)" in line]
    assert list(found.needed) == needed
    assert f"[Requesting program interpreter: {found.interpreter}]" in shown
