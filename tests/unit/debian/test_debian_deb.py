from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.codec import ar
from finback.codec.compress import compress
from finback.codec.decompress import CHUNK
from finback.debian import deb
from finback.ground.diagnostic import FinbackError

CONTROL = "Package: demo\nVersion: 1.0-1\nDescription: short\n long\n"
DATA = bytes(range(256)) * 8192  # 2 MiB: more than one chunk


def _zstd(data: bytes) -> bytes:
    return b"".join(compress([data], "zstd"))


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".xz": lzma.compress,
    ".gz": lambda d: gzip.compress(d, mtime=0),
    ".zst": _zstd,
}


def _control(name: str = "./control", text: str = CONTROL) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        folder = tarfile.TarInfo("./")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        script = tarfile.TarInfo("./postinst")
        script.size = 4
        archive.addfile(script, io.BytesIO(b"fail"))
        member = tarfile.TarInfo(name)
        member.size = len(text.encode())
        archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


def _package(suffix: str = ".xz", data: bytes = DATA, control: bytes | None = None) -> bytes:
    pack = COMPRESSIONS[suffix]
    return ar.encode(
        [
            ("debian-binary", b"2.0\n"),
            (f"control.tar{suffix}", pack(_control() if control is None else control)),
            (f"data.tar{suffix}", pack(data)),
        ]
    )


def _unpack(package: bytes) -> bytes:
    out = io.BytesIO()
    assert deb.unpack_data(io.BytesIO(package), "demo", out) == len(out.getvalue())
    return out.getvalue()


def _refusal(package: bytes) -> str:
    with pytest.raises(FinbackError) as caught:
        _unpack(package)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "F134"
    assert diagnostic.help
    assert diagnostic.message.startswith("package demo is faulty: ")
    return diagnostic.message.removeprefix("package demo is faulty: ")


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_unpacks(suffix: str) -> None:
    package = _package(suffix)
    assert _unpack(package) == DATA
    assert deb.fields(io.BytesIO(package), "demo")["Version"] == "1.0-1"


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_unpacks_several_streams_in_one_member(suffix: str) -> None:
    pack = COMPRESSIONS[suffix]
    package = ar.encode([("debian-binary", b"2.0\n"), (f"data.tar{suffix}", pack(DATA) + pack(b"second"))])
    assert _unpack(package) == DATA + b"second"


@pytest.mark.parametrize("suffix", COMPRESSIONS)
@given(data=st.binary(max_size=5000))
def test_unpacks_anything(suffix: str, data: bytes) -> None:
    assert _unpack(_package(suffix, data)) == data


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst"])
def test_a_member_that_ends_early_is_cut_short(suffix: str) -> None:
    whole = COMPRESSIONS[suffix](DATA)
    for length in (1, 20, len(whole) // 2, len(whole) - 1):
        package = ar.encode([("debian-binary", b"2.0\n"), (f"data.tar{suffix}", whole[:length])])
        assert _refusal(package) == "data.tar is cut short"


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst"])
def test_damage_is_found(suffix: str) -> None:
    whole = bytearray(COMPRESSIONS[suffix](DATA))
    whole[0] ^= 0xFF
    assert _refusal(ar.encode([("debian-binary", b"2.0\n"), (f"data.tar{suffix}", bytes(whole))])).startswith(
        "data.tar is damaged"
    )


def test_every_truncation_of_a_package_is_refused() -> None:
    package = _package(data=b"x" * 3000)
    for length in range(0, len(package) - 1, 7):
        _refusal(package[:length])


@pytest.mark.parametrize(
    ("package", "reason"),
    [
        (b"<html>", "not an ar archive"),
        (ar.encode([("debian-binary", b"2.0\n")]), "no data.tar"),
        (ar.encode([("debian-binary", b"2.0\n"), ("data.tar.rar", b"")]), "data.tar has the unknown compression .rar"),
        (ar.encode([("debian-binary", b"3.0\n"), ("data.tar", b"")]), "not a package of format 2"),
        (ar.encode([("data.tar", b"x")]), "not a package of format 2"),
        (ar.encode([]), "no data.tar"),
    ],
)
def test_refuses_what_is_no_package(package: bytes, reason: str) -> None:
    assert _refusal(package) == reason


@pytest.mark.parametrize("suffix", [".xz", ".gz", ".zst"])
def test_a_bomb_is_stopped_and_never_held(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package = _package(suffix, bytes(64 << 20))
    monkeypatch.setattr(deb, "DATA_LIMIT", 8 << 20)

    class Sink(io.RawIOBase):
        largest = total = 0

        def write(self, chunk: object) -> int:
            size = len(chunk)  # type: ignore[arg-type]
            self.largest, self.total = max(self.largest, size), self.total + size
            return size

    sink = Sink()
    with pytest.raises(FinbackError, match="unpacks to more than"):
        deb.unpack_data(io.BytesIO(package), "demo", sink)  # type: ignore[arg-type]
    assert sink.largest <= CHUNK
    assert sink.total <= 8 << 20


@pytest.mark.parametrize("control", [b"", _control("./other"), _control(text=" lost"), b"x" * 1024, _control()[:700]])
def test_refuses_a_package_without_readable_control_fields(control: bytes) -> None:
    with pytest.raises(FinbackError) as caught:
        deb.fields(io.BytesIO(_package(control=control)), "demo")
    assert caught.value.diagnostics[0].code == "F134"


def test_a_control_archive_that_is_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb, "CONTROL_LIMIT", 4096)
    with pytest.raises(FinbackError, match=r"control\.tar unpacks to more"):
        deb.fields(io.BytesIO(_package()), "demo")


def test_a_full_disk_is_not_the_packages_fault() -> None:
    class Full(io.RawIOBase):
        def write(self, _chunk: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        deb.unpack_data(io.BytesIO(_package()), "demo", Full())  # type: ignore[arg-type]
