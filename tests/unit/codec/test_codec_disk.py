"""Disks as values, partition tables, and the forms in which disks are written."""

from __future__ import annotations

import struct
import zlib
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finback.codec import disk, gpt, mbr, qcow2, vhd, vhdx, vmdk
from finback.codec.crc32c import crc32c
from finback.ground.digest import Digest
from finback.tree.content import Hole, Inline, Slice, Stretch, read_inline

GUID = UUID("12345678-1234-5678-1234-567812345678")

# Around the sizes of clusters, grains and blocks.
LENGTHS = st.integers(0, 3000) | st.sampled_from([65535, 65536, 65537, 1 << 20, (2 << 20) + 512])


@st.composite
def disks(draw: st.DrawFn) -> tuple[Stretch, ...]:
    """Holes, zeros, text and noise; whole sectors in all."""
    out: list[Stretch] = []
    for _ in range(draw(st.integers(0, 6))):
        length = draw(LENGTHS)
        kind = draw(st.sampled_from("hztn"))
        if kind == "h":
            out.append(Hole(length))
        else:
            noise = draw(st.randoms(use_true_random=False)).randbytes
            data = {"z": bytes, "t": lambda n: b"text" * (n // 4) + b"e" * (n % 4), "n": noise}[kind](length)
            out.append(Inline(data))
    out.append(Hole(512 - disk.size(out) % 512))
    return tuple(out)


def flat(image: object) -> bytes:
    stretches = (Inline(s) if isinstance(s, bytes) else s for s in image)  # type: ignore[attr-defined]
    return b"".join(disk.content(stretches, read_inline))


@settings(max_examples=40, deadline=None)
@given(disks(), st.sampled_from([4096, 65536, 1 << 20]))
def test_blocks_are_the_disk_without_its_holes(image: tuple[Stretch, ...], block: int) -> None:
    whole = flat(image)
    padded = whole.ljust(-(-len(whole) // block) * block, b"\0")
    found = dict(disk.blocks(image, read_inline, block))
    assert list(found) == sorted(found)
    for number in range(len(padded) // block):
        assert found.get(number, bytes(block)) == padded[number * block : (number + 1) * block]
    assert not any(data == bytes(block) for data in found.values())
    for number, part in disk.cut(image, block):
        assert disk.size(part) == block
        assert number * block < len(whole)


def test_a_large_hole_costs_nothing() -> None:
    image = (Inline(b"a"), Hole(1 << 50), Inline(b"b"))
    assert [n for n, _ in disk.cut(image, 512)] == [0, 1 << 41]


def test_a_slice_is_cut_without_being_read() -> None:
    blob = Digest.of(b"")
    parts = dict(disk.cut((Hole(100), Slice(blob, 7, 1000)), 512))
    assert parts[0] == (Hole(100), Slice(blob, 7, 412))
    assert parts[1] == (Slice(blob, 419, 512),)
    assert parts[2] == (Slice(blob, 931, 76), Hole(436))


def test_placing() -> None:
    placed = disk.place([(2, (Inline(b"ab"),)), (4, (Inline(b""), Inline(b"c")))], 8)
    assert placed == (Hole(2), Inline(b"ab"), Inline(b"c"), Hole(3))
    with pytest.raises(ValueError, match="begins before"):
        disk.place([(2, (Inline(b"ab"),)), (3, (Inline(b"c"),))], 8)
    with pytest.raises(ValueError, match="do not fit"):
        disk.place([(2, (Inline(b"ab"),))], 3)


def read_qcow2(data: bytes) -> bytes:
    """The disk, by docs/interop/qcow2.txt; every cluster's reference count is checked."""
    magic, version, _, _, bits, size, _, l1_size, l1_at, refcounts_at, refcount_clusters = struct.unpack_from(
        ">4sIQIIQIIQQI", data
    )
    assert (magic, version, bits) == (b"QFI\xfb", 3, 16)
    cluster = 1 << bits
    assert len(data) % cluster == 0
    uses = dict.fromkeys([0, *range(refcounts_at // cluster, refcounts_at // cluster + refcount_clusters)], 1)
    uses.update((l1_at // cluster + i, 1) for i in range(-(-l1_size * 8 // cluster)))
    out: list[bytes] = []
    for number, l1_entry in enumerate(struct.unpack_from(f">{l1_size}Q", data, l1_at)):
        clusters = min(cluster // 8, -(-size // cluster) - number * (cluster // 8))
        if not l1_entry:
            out.append(bytes(cluster * clusters))
            continue
        l2_at = l1_entry & (1 << 56) - 512
        uses[l2_at // cluster] = 1
        for entry in struct.unpack_from(f">{clusters}Q", data, l2_at):
            if entry >> 62 & 1:
                at = entry & (1 << 54) - 1
                sectors = (entry >> 54 & 0xFF) + 1
                end = at // 512 * 512 + sectors * 512
                assert end <= len(data)
                for used in range(at // cluster, (end - 1) // cluster + 1):
                    uses[used] = uses.get(used, 0) + 1
                out.append(zlib.decompressobj(-12).decompress(data[at:end], cluster))
                assert len(out[-1]) == cluster
            elif entry:
                at = entry & (1 << 56) - 512
                assert entry >> 63
                assert at % cluster == 0
                assert at // cluster not in uses
                uses[at // cluster] = 1
                out.append(data[at : at + cluster])
            else:
                out.append(bytes(cluster))
    counts: list[int] = []
    for at in struct.unpack_from(f">{refcount_clusters * cluster // 8}Q", data, refcounts_at):
        if at:
            uses[at // cluster] = 1
            counts += struct.unpack_from(f">{cluster // 2}H", data, at)
    assert {i: n for i, n in enumerate(counts) if n} == uses
    assert len(data) // cluster == max(uses) + 1
    return b"".join(out)[:size]


def read_vmdk(data: bytes) -> bytes:
    """The disk, by the markers alone; the tables must lead to the same grains."""
    capacity, grain = struct.unpack_from("<QQ", data, 12)
    out = bytearray(capacity * 512)
    at, found, tables, directory = 128 * 512, {}, {}, None
    while True:
        value, size, kind = struct.unpack_from("<QII", data, at)
        if size:
            content = zlib.decompress(data[at + 12 : at + 12 + size])
            assert len(content) == grain * 512
            out[value * 512 : value * 512 + len(content)] = content
            found[value // grain] = at // 512
            at += -(-(12 + size) // 512) * 512
            continue
        at += 512
        if kind == 0:
            break
        if kind == 1:
            tables[at // 512] = struct.unpack_from("<512I", data, at)
        elif kind == 2:
            directory = struct.unpack_from(f"<{-(-capacity // (grain * 512))}I", data, at), at // 512
        else:
            assert directory is not None
            assert struct.unpack_from("<Q", data, at + 56)[0] == directory[1]
        at += value * 512
    assert at == len(data)
    assert directory is not None
    listed = {d * 512 + i: g for d, t in enumerate(directory[0]) if t for i, g in enumerate(tables[t]) if g}
    assert listed == found
    return bytes(out)


def read_vhd(data: bytes) -> bytes:
    footer = data[-512:]
    cookie, _, _, offset, size, kind, checksum = struct.unpack_from(">8sIIQ24xQ4xII", footer)
    assert cookie == b"conectix"
    assert checksum == ~sum(footer[:64] + bytes(4) + footer[68:]) & 0xFFFFFFFF
    if kind == 2:
        assert len(data) == size + 512
        return data[:-512]
    assert data[:512] == footer
    table_at, _, count, block, checksum = struct.unpack_from(">QIIII", data, offset + 16)
    header = data[offset : offset + 1024]
    assert checksum == ~sum(header[:36] + bytes(4) + header[40:]) & 0xFFFFFFFF
    out = []
    for sector in struct.unpack_from(f">{count}I", data, table_at):
        at = sector * 512 + 512
        out.append(bytes(block) if sector == 0xFFFFFFFF else data[at : at + block])
        assert len(out[-1]) == block
    return b"".join(out)[:size]


def read_vhdx(data: bytes) -> bytes:
    region = data[192 << 10 : 256 << 10]
    assert region == data[256 << 10 : 320 << 10]
    assert struct.unpack_from("<I", region, 4)[0] == crc32c(region[:4] + bytes(4) + region[8:])
    table_at, metadata_at = (struct.unpack_from("<Q", region, 16 + 32 * i + 16)[0] for i in range(2))
    block, size = struct.unpack_from("<I4xQ", data, metadata_at + 65536)
    out = []
    for i in range(-(-size // block)):
        (entry,) = struct.unpack_from("<Q", data, table_at + 8 * (i + i // ((1 << 32) // block)))
        at = entry >> 20 << 20
        assert entry & 7 in (0, 6)
        out.append(data[at : at + block] if entry else bytes(block))
        assert len(out[-1]) == block
    return b"".join(out)[:size]


@settings(max_examples=25, deadline=None)
@given(disks())
def test_every_form_holds_the_disk(image: tuple[Stretch, ...]) -> None:
    whole = flat(image)
    assert read_qcow2(flat(qcow2.encode(image, read_inline))) == whole
    assert read_vmdk(flat(vmdk.encode(image, read_inline, name="x.vmdk", content_id=1)))[: len(whole)] == whole
    assert read_vhd(flat(vhd.fixed(image, GUID))) == whole
    assert read_vhd(flat(vhd.dynamic(image, GUID))) == whole
    assert read_vhdx(flat(vhdx.encode(image, GUID))) == whole


def test_what_is_compressed_again_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    image = (Inline(b"text" * 200000), Hole(1 << 20), Inline(b"more" * 100000), Hole(480))
    kept = flat(qcow2.encode(image, read_inline))
    monkeypatch.setattr(qcow2, "KEPT", 300)
    assert flat(qcow2.encode(image, read_inline)) == kept


def test_limits() -> None:
    for make in (vhd.fixed, vhd.dynamic, vhdx.encode):
        with pytest.raises(ValueError, match="whole sectors"):
            make((Hole(1000),), GUID)
        with pytest.raises(ValueError, match="at most"):
            make((Hole(65 << 40),), GUID)


def partition(first: int, sectors: int, name: str = "p") -> gpt.Partition:
    return gpt.Partition(kind=gpt.ESP, guid=GUID, first=first, sectors=sectors, name=name)


def test_a_gpt_says_the_same_at_both_ends() -> None:
    head, tail = gpt.encode(
        [partition(2048, 100), partition(4096, 8, "data")], sectors=8192, guid=GUID, code=b"c" * 440
    )
    assert (len(head), len(tail)) == (34 * 512, 33 * 512)
    assert head[:440] == b"c" * 440
    assert head[1024:] == tail[: 32 * 512]
    for header, own, other, table in ((head[512:1024], 1, 8191, 2), (tail[-512:], 8191, 1, 8159)):
        fields = struct.unpack_from("<8sIIIIQQQQ16sQIII", header)
        assert fields[3] == zlib.crc32(header[:16] + bytes(4) + header[20:92])
        assert fields[5:9] == (own, other, 34, 8158)
        assert fields[10:] == (table, 128, 128, zlib.crc32(head[1024:]))
    entry = struct.unpack_from("<16s16sQQQ72s", head, 1024 + 128)
    assert entry[2:5] == (4096, 4103, 0)
    assert entry[5].decode("utf-16-le").rstrip("\0") == "data"


@pytest.mark.parametrize(
    "partitions",
    [[partition(33, 1)], [partition(34, 8200)], [partition(40, 10), partition(45, 1)], [partition(40, 0)],
     [partition(40, 1, "n" * 37)], [partition(40 + i, 1) for i in range(129)]],
)  # fmt: skip
def test_a_gpt_that_cannot_be(partitions: list[gpt.Partition]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        gpt.encode(partitions, sectors=8192, guid=GUID)


def test_an_mbr() -> None:
    record = mbr.encode([mbr.Partition(kind=0x0C, first=2048, sectors=4096, active=True)], signature=7, code=b"x")
    assert len(record) == 512
    assert struct.unpack_from("<I", record, 440)[0] == 7
    assert struct.unpack_from("<B3sB3sII", record, 446) == (0x80, b"\x20\x21\0", 0x0C, b"\x61\x21\0", 2048, 4096)
    assert struct.unpack_from("<B3sB3sII", mbr.protective(1 << 40), 446)[2:] == (0xEE, b"\xff\xff\xff", 1, 0xFFFFFFFF)
    with pytest.raises(ValueError, match="2 TiB"):
        mbr.encode([mbr.Partition(kind=0x83, first=1 << 32, sectors=1)])
    with pytest.raises(ValueError, match="room"):
        mbr.encode([], code=b"x" * 441)
