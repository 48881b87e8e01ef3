"""Boot loaders: sections of PE images, and SYSLINUX out of its installer."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

import boot_loaders
from finback.codec import disk, linux_image, pe, syslinux
from finback.tree.content import Hole, Inline, read_inline


def built(*sections: pe.Section) -> bytes:
    return b"".join(disk.content(pe.add(boot_loaders.stub(), sections), read_inline))


def test_sections_are_added_and_replaced() -> None:
    image = built(
        pe.Section(".sbat", (Inline(b"new"),)),
        pe.Section(".linux", (Inline(b"k" * 1000), Hole(100))),
        pe.Section(".empty", ()),
    )
    assert pe.names(image) == (".text", ".sbat", ".linux", ".empty")
    assert pe.section(image, ".sbat") == b"new"
    assert pe.section(image, ".linux") == b"k" * 1000 + bytes(100)
    assert pe.section(image, ".text") == b"hello"
    assert pe.section(image, ".other") is None
    assert len(image) % 512 == 0
    optional = 0x40 + 24
    assert struct.unpack_from("<H", image, 0x40 + 6)[0] == 4
    size = struct.unpack_from("<I", image, optional + 56)[0]
    places = [struct.unpack_from("<8xIIII", image, optional + 240 + 40 * i) for i in range(4)]
    for (length, address, in_file, offset), following in zip(places, [*places[1:], None], strict=True):
        assert address % 512 == offset % 512 == in_file % 512 == 0
        assert address + length <= (following[1] if following else size)


def test_what_cannot_be_extended() -> None:
    stub = boot_loaders.stub()
    many = [pe.Section(f".s{i}", ()) for i in range(30)]
    with pytest.raises(ValueError, match="no room"):
        pe.add(stub, many)
    with pytest.raises(ValueError, match="does not fit"):
        pe.add(stub, [pe.Section(".linux", (Hole(1 << 32),))])
    signed = bytearray(stub)
    struct.pack_into("<II", signed, 0x40 + 24 + 112 + 32, 1, 1)
    with pytest.raises(ValueError, match="signed"):
        pe.add(bytes(signed), [])


@given(st.binary(max_size=2000) | st.binary(max_size=600).map(lambda b: boot_loaders.stub()[: len(b)] + b))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        pe.names(data)
        pe.section(data, ".sbat")
    except ValueError:
        pass


def test_sbat_keeps_the_stubs_lines() -> None:
    assert pe.sbat(["b,1"], b"sbat,1\na,1\n\0\0") == b"sbat,1\na,1\nb,1\n"
    assert pe.sbat(["b,1"], None) == b"b,1\n"


def test_syslinux_is_taken_out_and_told_where_it_is() -> None:
    program = boot_loaders.syslinux()
    loader = syslinux.extract(program)
    assert loader.module == program[program.index(b"\x7fELF\1") :][:92]
    assert len(loader.system) == 5 * 512
    boot, system = syslinux.installed(loader, 1000)
    assert struct.unpack_from("<II", boot, 400) == (1000, 0)
    assert boot[510:] == b"\x55\xaa"
    magic, _, sectors, advs, words, _, _, _ = struct.unpack_from("<IIHHIIHH", system, 24)
    assert (sectors, advs, words) == (3, 2, 3 * 128)
    assert struct.unpack_from("<QH", system, 140) == (1001, 2)
    assert struct.unpack_from("<QQ", system, 100) == (1003, 1004)
    # What the loader adds up before it starts.
    assert sum(struct.unpack(f"<{words}I", system[: words * 4])) & 0xFFFFFFFF == magic


def test_large_loaders_are_read_in_several_runs() -> None:
    loader = syslinux.extract(boot_loaders.syslinux())
    large = syslinux.Loader(loader.boot, loader.system[:1536] + bytes(200 * 512) + loader.system[1536:], b"")
    _, system = syslinux.installed(large, 10)
    assert struct.unpack_from("<QHQHQH", system, 140) == (11, 127, 138, 75, 0, 0)
    huge = syslinux.Loader(loader.boot, loader.system[:1536] + bytes(700 * 512) + loader.system[1536:], b"")
    with pytest.raises(ValueError, match="no room"):
        syslinux.installed(huge, 10)


@pytest.mark.parametrize("cut", [0, 100, 1000, 1100, 2600])
def test_another_program_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match=r"SYSLINUX|module"):
        syslinux.extract(boot_loaders.syslinux()[:cut])


def test_a_kernel_says_its_version() -> None:
    head = bytearray(linux_image.VERSION_HEAD)
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x20E, 0x3000 - 0x200)
    head[0x3000:0x3020] = b"6.12.1-cloud-amd64 (debian) #1\0\0"
    assert linux_image.version(bytes(head)) == "6.12.1-cloud-amd64"
    assert linux_image.version(bytes(head[:0x300])) == ""
    assert linux_image.version(bytes(0x300)) == ""
