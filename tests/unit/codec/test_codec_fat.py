"""FAT: read back by a reader that knows only the specification, for any tree."""

from __future__ import annotations

import struct
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finback.codec import disk, fat, fat_names
from finback.tree.content import Hole, Inline, read_inline

NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"*/:<>?\\|\x7f'), min_size=1, max_size=30
).filter(lambda n: n[-1] not in ". " and n not in (".", ".."))


class Entry(NamedTuple):
    name: str
    short: bytes
    folder: bool
    start: int
    size: int


class Reader:
    """FAT by fatgen103, whole in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        sector, self.per, reserved, tables, entries, small, media, table, _, _, self.first, large = struct.unpack_from(
            "<HBHBHHBHHHII", data, 11
        )
        assert (sector, tables, media) == (512, 2, 0xF8)
        assert data[510:512] == b"\x55\xaa"
        table = table or struct.unpack_from("<I", data, 36)[0]
        sectors = small or large
        assert sectors * 512 == len(data)
        start = reserved + 2 * table + entries * 32 // 512
        self.clusters = (sectors - start) // self.per
        self.bits = 12 if self.clusters < 4085 else 16 if self.clusters < 65525 else 32
        self.at = start * 512
        self.fixed = data[(reserved + 2 * table) * 512 : start * 512]
        one, two = (data[(reserved + i * table) * 512 :][: table * 512] for i in range(2))
        assert one == two
        self.table = self._numbers(one)
        assert len(self.table) >= self.clusters + 2
        self.used: set[int] = set()
        if self.bits == 32:
            assert data[:512] == data[6 * 512 : 7 * 512]
            self.root = struct.unpack_from("<I", data, 44)[0]

    def _numbers(self, table: bytes) -> list[int]:
        if self.bits == 12:
            value = int.from_bytes(table, "little")
            return [value >> 12 * i & 0xFFF for i in range(min(len(table) * 2 // 3, self.clusters + 2))]
        return list(struct.unpack(f"<{len(table) * 8 // self.bits}{'H' if self.bits == 16 else 'I'}", table))

    def chain(self, cluster: int) -> bytes:
        out = []
        end = {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}[self.bits]
        while cluster < end:
            assert 2 <= cluster < self.clusters + 2
            assert cluster not in self.used, "two files share a cluster"
            self.used.add(cluster)
            at = self.at + (cluster - 2) * self.per * 512
            out.append(self.data[at : at + self.per * 512])
            cluster = self.table[cluster]
        return b"".join(out)

    def entries(self, data: bytes) -> list[Entry]:
        out, parts, sums = [], dict[int, bytes](), set[int]()
        for at in range(0, len(data), 32):
            raw = data[at : at + 32]
            if not raw[0]:
                break
            if raw[11] == 0x0F:
                assert raw[0] & 0x40 or parts, "the last part of a long name comes first"
                parts[raw[0] & 0x3F] = raw[1:11] + raw[14:26] + raw[28:32]
                sums.add(raw[13])
                continue
            if raw[11] & 0x08:
                assert not parts
                continue
            short = raw[:11]
            name = short[:8].decode().rstrip() + ("." + short[8:].decode().rstrip()).rstrip(".")
            if parts:
                checksum = 0
                for byte in short:
                    checksum = ((checksum >> 1) + ((checksum & 1) << 7) + byte) & 0xFF
                assert sums == {checksum}
                assert sorted(parts) == list(range(1, len(parts) + 1))
                units = b"".join(parts[i] for i in sorted(parts))
                end = next((i for i in range(0, len(units), 2) if units[i : i + 2] == b"\0\0"), len(units))
                name = units[:end].decode("utf-16-le")
            start = struct.unpack_from("<H", raw, 20)[0] << 16 | struct.unpack_from("<H", raw, 26)[0]
            out.append(Entry(name, short, bool(raw[11] & 0x10), start, struct.unpack_from("<I", raw, 28)[0]))
            parts, sums = {}, set()
        return out

    def tree(self) -> dict[str, bytes | None]:
        found: dict[str, bytes | None] = {}

        def walk(prefix: str, data: bytes, own: int, parent: int) -> None:
            entries = self.entries(data)
            if prefix:
                assert [(e.short.rstrip(), e.start) for e in entries[:2]] == [(b".", own), (b"..", parent)]
                entries = entries[2:]
            assert len({e.short for e in entries}) == len(entries)
            for entry in entries:
                path = prefix + entry.name
                if entry.folder:
                    found[path] = None
                    walk(path + "/", self.chain(entry.start), entry.start, own if prefix else 0)
                else:
                    content = self.chain(entry.start) if entry.start else b""
                    assert len(content) - entry.size < self.per * 512
                    found[path] = content[: entry.size]

        walk("", self.chain(self.root) if self.bits == 32 else self.fixed, 0, 0)
        free = sum(1 for n in self.table[2 : self.clusters + 2] if not n)
        assert free == self.clusters - len(self.used), "clusters that belong to nothing"
        if self.bits == 32:
            assert struct.unpack_from("<I", self.data, 512 + 488)[0] == free
        return found


def image(files: dict[str, bytes | None], options: fat.Settings = fat.Settings()) -> bytes:  # noqa: B008
    stretches = {p: None if c is None else (Inline(c),) for p, c in files.items()}
    return b"".join(disk.content(fat.encode(stretches, options).disk, read_inline))


def whole(files: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """With the directories on the way."""
    out = dict(files)
    for path in files:
        for i, letter in enumerate(path):
            if letter == "/":
                out[path[:i]] = None
    return out


@st.composite
def trees(draw: st.DrawFn) -> dict[str, bytes | None]:
    def folder(depth: int) -> dict[str, bytes | None]:
        names = draw(st.lists(NAMES, max_size=6, unique_by=str.upper))
        out: dict[str, bytes | None] = {}
        for name in names:
            if depth < 3 and draw(st.booleans()):
                out[name] = None
                out.update({f"{name}/{p}": c for p, c in folder(depth + 1).items()})
            else:
                out[name] = draw(st.binary(max_size=40)) * draw(st.integers(0, 100))
        return out

    return folder(0)


@settings(max_examples=60, deadline=None)
@given(trees(), st.sampled_from([0, 12, 16]))
def test_any_tree_is_read_back(files: dict[str, bytes | None], bits: int) -> None:
    reader = Reader(image(files, fat.Settings(bits=bits, serial=7, epoch=1492533000)))
    assert reader.bits == (bits or 12)
    assert reader.tree() == whole(files)


@pytest.mark.parametrize(("size", "bits", "per_cluster"), [(1 << 20, 12, 1), (3 << 20, 16, 1), (40 << 20, 32, 1)])
def test_the_kind_follows_from_the_size(size: int, bits: int, per_cluster: int) -> None:
    content = bytes(range(256)) * (size // 256)
    reader = Reader(image({"a": content, "b/c": b"x"}))
    assert (reader.bits, reader.per) == (bits, per_cluster)
    assert reader.tree() == {"a": content, "b": None, "b/c": b"x"}
    assert 0 not in reader.table[2 : reader.clusters + 2], "a full volume is exactly as large as its files"


@settings(max_examples=30, deadline=None)
@given(trees(), st.sampled_from([12, 16]), st.sampled_from([2, 4, 8]))
def test_files_begin_at_clusters_of_the_size_that_is_asked_for(
    files: dict[str, bytes | None], bits: int, cluster: int
) -> None:
    volume = fat.encode(
        {p: None if b is None else (Inline(b),) for p, b in files.items()}, fat.Settings(bits=bits, cluster=cluster)
    )
    assert all(offset % (cluster * fat.SECTOR) == 0 for offset in volume.offsets.values())
    reader = Reader(b"".join(disk.content(volume.disk, read_inline)))
    assert reader.per >= cluster
    assert reader.tree() == whole(files)


def test_large_volumes_have_large_clusters() -> None:
    volume = fat.encode({"a": (Hole(300 << 20),), "b": (Inline(b"b"),)})
    head = volume.disk[0]
    assert isinstance(head, Inline)
    assert head.data[13] == 8
    assert volume.offsets["a"] % 4096 == 0
    assert volume.offsets["b"] == volume.offsets["a"] + (300 << 20)


def test_many_names_have_different_short_ones() -> None:
    names = [f"file with number {i}.text" for i in range(20000)]
    shorts = fat_names.short_names([*names, "FILEWI~1.TEX"])
    assert len(set(shorts.values())) == len(names) + 1
    assert shorts["FILEWI~1.TEX"] == b"FILEWI~1TEX"


@pytest.mark.parametrize(
    ("name", "short"),
    [("ldlinux.sys", b"LDLINUX SYS"), ("A.B", b"A       B  "), ("a b.c", b"AB~1    C  "), (".x", b"X~1        "),
     ("über", b"_BER~1     "), ("a.b.c", b"AB~1    C  "), ("ß", b"_~1        "), ("\u0149", b"_~1        ")],
)  # fmt: skip
def test_short_names(name: str, short: bytes) -> None:
    assert fat_names.short_names([name]) == {name: short}


@pytest.mark.parametrize(
    "files",
    [
        {"a/b": b"", "A/c": b""}, {"a": b"", "a/b": b""}, {"x:y": b""}, {"x.": b""}, {"x ": b""}, {"\x07": b""},
        {"\udc80": b""}, {"n" * 256: b""}, {"a//b": b""}, {"..": b""}, {"README": b"", "readme": b""},
    ],
)  # fmt: skip
def test_what_fat_cannot_carry(files: dict[str, bytes]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        image(dict(files))


def test_limits() -> None:
    with pytest.raises(ValueError, match="4 GiB"):
        fat.encode({"a": (Hole(1 << 32),)})
    with pytest.raises(ValueError, match="too large for FAT12"):
        fat.encode({"a": (Hole(200 << 20),)}, fat.Settings(bits=12))
    with pytest.raises(ValueError, match="more entries"):
        fat.encode({f"a long name that takes three entries {i:05}": () for i in range(20000)})


def test_the_boot_code_stays_out_of_the_parameters() -> None:
    boot = bytes(range(256)) * 2
    for bits in (12, 16, 32):
        data = image({"a": b"a"}, fat.Settings(bits=bits, boot=boot, first=2048))
        assert data[:11] == boot[:11]
        assert data[90:510] == boot[90:510]
        assert Reader(data).first == 2048
        assert Reader(data).tree() == {"a": b"a"}
