"""ISO 9660 images: what needs no reader. tests/tools reads them back with the real ones."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from uuid import UUID

import pytest

from finback.codec import disk, iso9660
from finback.codec.iso9660 import SECTOR, Boot, Hybrid, Volume, Within
from finback.codec.iso9660.name import joliet, plain
from finback.ground.digest import Digest
from finback.tree.content import Inline, Slice, read_inline
from finback.tree.entry import AnyEntry, Directory, File, HardLink, Symlink

ABOUT = Volume(label="T", epoch=1000)
NOTHING = Boot()
GUID = UUID(int=7)
BLOB = Digest.of(b"")


def made(
    *entries: AnyEntry, bodies: Mapping[str, Within] | None = None, boot: Boot = NOTHING, about: Volume = ABOUT
) -> bytes:
    return b"".join(disk.content(iso9660.encode(entries, about, bodies, boot), read_inline))


def root_records(image: bytes) -> dict[bytes, tuple[int, int, int]]:
    """Sector, length and flags of what is in the root directory, by identifier and number."""
    sector, size = struct.unpack_from("<I4xI", image, 16 * SECTOR + 156 + 2)
    data, at, out = image[sector * SECTOR : sector * SECTOR + size], 0, {}
    while at < len(data):
        length = data[at]
        if not length:
            at += -at % SECTOR or SECTOR
            continue
        name = data[at + 33 : at + 33 + data[at + 32]]
        place, bytes_ = struct.unpack_from("<I4xI", data, at + 2)
        while name in out:
            name += b"+"
        out[name] = place, bytes_, data[at + 25]
        at += length
    return out


def test_the_same_tree_gives_the_same_bytes_whatever_the_order() -> None:
    entries = [Directory(path="d"), File(path="d/a", content=Inline(b"1")), Symlink(path="z", target="d/a")]
    assert made(*entries) == made(*reversed(entries))
    assert len(made(*entries)) % SECTOR == 0


def test_a_file_of_more_than_four_gigabytes_has_sections() -> None:
    size = (5 << 30) + 17
    image = iso9660.encode([File(path="big", content=Slice(BLOB, 0, size)), File(path="c")], ABOUT)
    assert disk.size(image) > size
    head = b"".join(disk.content([s for s in image if not isinstance(s, Slice)], read_inline))
    records = root_records(head)
    first, second = records[b"BIG.;1"], records[b"BIG.;1+"]
    assert first[1] + second[1] == size
    assert second[0] == first[0] + first[1] // SECTOR
    assert (first[2], second[2]) == (0x80, 0)


def test_the_names_of_one_file_share_its_data() -> None:
    records = root_records(made(File(path="a", content=Inline(b"x" * 5000)), HardLink(path="b", target="a")))
    assert records[b"A.;1"] == records[b"B.;1"]


def test_a_file_may_lie_in_another_one() -> None:
    outer = File(path="outer", content=Inline(b"o" * SECTOR + b"inner" + b"o" * SECTOR))
    image = made(outer, File(path="inner"), bodies={"inner": Within("outer", SECTOR, 5)})
    sector, size, _ = root_records(image)[b"INNER.;1"]
    assert image[sector * SECTOR :][:size] == b"inner"
    for offset, length in ((1, 5), (SECTOR, 2 * SECTOR)):
        with pytest.raises(ValueError, match="inner does not lie in sectors of outer"):
            made(outer, File(path="inner"), bodies={"inner": Within("outer", offset, length)})


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([File(path="a"), Directory(path="a")], "there twice"),
        ([File(path="a"), File(path="a/b")], "is no directory"),
        ([HardLink(path="a", target="b")], "is no file"),
        ([File(path="a", mtime=1 << 36)], "has no room"),
    ],
)
def test_what_no_disc_can_hold(entries: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(*entries)


@pytest.mark.parametrize("label", ["", "x" * 33, "ü", "a\n"])
def test_labels_that_do_not_fit(label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        made(about=Volume(label=label, epoch=0))


def test_more_directories_than_a_path_table_numbers() -> None:
    with pytest.raises(ValueError, match="65536 directories"):
        made(*(Directory(path=f"{i}") for i in range(65535)))


def test_isolinux_finds_itself() -> None:
    program = bytes(range(256)) * 20
    image = made(File(path="boot/isolinux.bin", content=Inline(program)), boot=Boot(bios="boot/isolinux.bin"))
    catalog = struct.unpack_from("<I", image, 17 * SECTOR + 0x47)[0]
    entry = image[catalog * SECTOR + 32 : catalog * SECTOR + 64]
    assert sum(struct.unpack_from("<16H", image, catalog * SECTOR)) & 0xFFFF == 0
    assert entry[:2] == b"\x88\0"
    count, sector = struct.unpack_from("<HI", entry, 6)
    assert count == 4
    found = image[sector * SECTOR :][: len(program)]
    assert found[64:] == program[64:]
    checksum = sum(struct.unpack(f"<{(len(program) - 64) // 4}I", program[64:])) & 0xFFFFFFFF
    assert struct.unpack_from("<IIII", found, 8) == (16, sector, len(program), checksum)


@pytest.mark.parametrize("content", [Slice(BLOB, 0, 9000), Inline(b"short")])
def test_boot_images_that_are_none(content: Inline | Slice) -> None:
    with pytest.raises(ValueError, match="boot i"):
        iso9660.encode([File(path="b", content=content)], ABOUT, boot=Boot(bios="b"))
    with pytest.raises(ValueError, match="is no file of the disc"):
        made(boot=Boot(efi="nowhere"))


def test_a_disc_is_a_disk_for_bioses() -> None:
    program = File(path="b", content=Inline(bytes(3000)))
    image = made(program, boot=Boot(bios="b", hybrid=Hybrid(guid=GUID, code=b"C" * 432)))
    assert len(image) % (1 << 20) == 0
    assert image[510:512] == b"\x55\xaa"
    assert image[:432] == b"C" * 432
    sector = root_records(image)[b"B.;1"][0]
    assert struct.unpack_from("<Q", image, 432)[0] == sector * 4
    active, kind, first, count = struct.unpack_from("<B3xB3xII", image, 446)
    assert (active, kind, first, count * 512) == (0x80, 0x17, 0, len(image))
    with pytest.raises(ValueError, match="432 bytes"):
        made(program, boot=Boot(bios="b", hybrid=Hybrid(guid=GUID, code=b"C" * 440)))


def test_a_volume_for_uefi_begins_at_a_megabyte_and_has_a_partition() -> None:
    volume = File(path="efi.img", content=Inline(b"F" * 40000))
    image = made(File(path="a"), volume, boot=Boot(efi="efi.img", hybrid=Hybrid(guid=GUID)))
    first, last = struct.unpack_from("<QQ", image, 1024 + 32)
    assert first * 512 % (1 << 20) == 0
    assert image[first * 512 : (last + 1) * 512].rstrip(b"\0") == b"F" * 40000
    assert image[512:520] == image[-512:-504] == b"EFI PART"
    catalog = struct.unpack_from("<I", image, 17 * SECTOR + 0x47)[0]
    assert image[catalog * SECTOR + 1] == 0xEF
    assert struct.unpack_from("<HI", image, catalog * SECTOR + 38) == (-(-40000 // 512), first // 4)


def test_plain_names_differ_and_fit() -> None:
    names = [*(f"{'long' * 20}{i}.tar.gz" for i in range(200)), ".hidden", "Größe", "ßß" * 30, "A", "a", "x."]
    found = plain([(n, False) for n in names])
    assert len(set(found.values())) == len(names)
    for stem, extension in found.values():
        assert stem
        assert len(stem + extension) <= 30
        assert set(stem + extension) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
    assert found["a"] != found["A"]
    assert all(len(stem) <= 31 for stem, _ in plain([("d" * 99, True), ("d" * 98, True)]).values())


def test_joliet_names_differ_and_fit() -> None:
    names = ["a*b", "a?b", "a:b", "x" * 70, "x" * 71, "\U0001f600", "caf\udce9", "ok.txt"]
    found = joliet(names)
    assert len(set(found.values())) == len(names)
    assert all(len(n) <= 64 and not set(n) & set("*/:;?\\") for n in found.values())
    assert found["ok.txt"] == "ok.txt"
