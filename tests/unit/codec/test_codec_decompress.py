from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.codec import decompress as decompress_module
from finback.codec.compress import compress
from finback.codec.decompress import decompress, detect, reader

METHODS = st.sampled_from(["gzip", "zstd", "none"])
SUFFIXES = {"gzip": ".gz", "zstd": ".zst", "none": ""}
SKIPPED = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"extra"


def cut(data: bytes, step: int) -> Iterator[bytes]:
    return (data[i : i + step] for i in range(0, len(data), step))


def packed(data: bytes, method: str) -> bytes:
    return b"".join(compress([data], method))


def unpacked(data: bytes, method: str, limit: int = 1 << 24, step: int = 1000) -> bytes:
    return b"".join(decompress(reader(cut(data, step)), SUFFIXES[method], limit))


@given(st.lists(st.binary(max_size=5000), min_size=1, max_size=4), METHODS, st.integers(1, 3000))
def test_streams_come_back_in_whatever_pieces(parts: list[bytes], method: str, step: int) -> None:
    data = b"".join(packed(part, method) for part in parts)
    assert unpacked(data, method, step=step) == b"".join(parts)


@given(METHODS, st.binary(max_size=200))
def test_noise_is_refused_or_read(method: str, noise: bytes) -> None:
    for data in (noise, packed(b"sound", method) + noise, packed(b"a" * 5000, method)[:-9] + noise):
        with contextlib.suppress(ValueError):
            unpacked(data, method, step=7)


def test_skippable_frames_are_passed_over() -> None:
    one = packed(b"one", "zstd")
    assert unpacked(SKIPPED + one + SKIPPED + SKIPPED + one + SKIPPED, "zstd", step=3) == b"oneone"


@pytest.mark.parametrize("method", ["gzip", "zstd"])
def test_what_is_cut_short_is_refused(method: str) -> None:
    data = packed(bytes(range(256)) * 50, method)
    for end in range(1, len(data)):
        with pytest.raises(ValueError, match="cut short"):
            unpacked(data[:end], method)


@pytest.mark.parametrize("method", ["gzip", "zstd"])
def test_bombs_are_stopped_while_they_go_off(method: str) -> None:
    bomb = packed(bytes(1 << 26), method)
    made = 0
    with pytest.raises(ValueError, match="more than"):  # noqa: PT012 - what came before counts
        for piece in decompress(reader([bomb]), SUFFIXES[method], 3 << 20):
            made += len(piece)
            assert len(piece) <= 1 << 20
    assert made <= 3 << 20
    assert detect(bomb) == SUFFIXES[method]


@pytest.mark.parametrize("method", ["gzip", "zstd"])
def test_a_bomb_is_told_by_its_ratio(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress_module, "LEAST", 1 << 20)
    bomb = packed(bytes(1 << 26), method)
    made = 0
    with pytest.raises(ValueError, match="times its size"):  # noqa: PT012 - what came before counts
        for piece in decompress(reader(cut(bomb, 1000)), SUFFIXES[method], 1 << 40):
            made += len(piece)
    assert made < (1 << 20) + decompress_module.RATIO * len(bomb)
    assert unpacked(packed(bytes(1 << 20), method), method) == bytes(1 << 20)
