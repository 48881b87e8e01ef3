"""The formats whose root the kernel mounts: any number of processors, made once, the tree that the tar has."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from test_formats import make_plan, outputs

from finback.assemble import build as assembling
from finback.assemble.contents import StoreContents
from finback.assemble.system import Compression, OwnPart, System
from finback.ground.diagnostic import FinbackError
from finback.ground.event import Event, silent
from finback.host.store import Store
from finback.outputs import FORMATS, Options
from finback.tree.content import Slice
from finback.tree.entry import File

KINDS = ("squashfs", "erofs")


def parts(store: Store) -> tuple[System, StoreContents]:
    plan = make_plan(store)
    return assembling.build(plan, store), StoreContents(store, plan, silent)


@pytest.mark.parametrize(("kind", "method"), [(k, m) for k in KINDS for m in FORMATS.get(f"kernel+{k}").compressions])
def test_the_bytes_are_the_same_for_any_number_of_processors(
    kind: str, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(compression=Compression(method))
    made = []
    for count in (1, 2, 5):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        made.append(outputs(f"kernel+{kind}", tmp_path / str(count), options))
    assert made[0] == made[1] == made[2]
    assert set(made[0]) == {"-kernel", "-cmdline", f"-{kind}.img"}
    assert made[0]["-cmdline"] == b"console=ttyS0"
    assert made[0]["-kernel"]


@pytest.mark.parametrize("compression", ["zstd:1", "zstd:9", "gzip", "lz4", "lz4:9", "none"])
def test_the_compression_is_that_of_the_squashfs(compression: str, tmp_path: Path) -> None:
    image = outputs("kernel+squashfs", tmp_path, Options(compression=Compression.parse(compression)))["-squashfs.img"]
    assert int.from_bytes(image[20:22], "little") == {"z": 6, "l": 5}.get(compression[0], 1)
    assert (b"W" * 70000 in image) == (compression == "none")


@pytest.mark.parametrize("compression", ["zstd:1", "gzip", "lz4", "lz4:9", "none"])
def test_the_compression_is_that_of_the_erofs(compression: str, tmp_path: Path) -> None:
    image = outputs("kernel+erofs", tmp_path, Options(compression=Compression.parse(compression)))["-erofs.img"]
    methods = {"z": 1 << 3, "g": 1 << 2, "l": 1 << 0}
    assert int.from_bytes(image[1024 + 84 : 1024 + 86], "little") == methods.get(compression[0], 0)
    assert (b"W" * 65536 in image) == (compression == "none")
    if compression != "none":
        assert len(image) < 70000


@pytest.mark.parametrize("kind", KINDS)
def test_a_compressed_root_is_made_once(kind: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = make_plan(store)
    system = assembling.build(plan, store)
    seen: list[Event] = []
    contents = StoreContents(store, plan, seen.append)

    def image(method: str) -> bytes:
        options = Options(compression=Compression(method))
        root = list(FORMATS.get(f"kernel+{kind}").write(system, contents, options))[-1]
        return b"".join(b"".join(store.chunks(p)) if isinstance(p, Slice) else p for p in root.body())

    first = image("zstd")
    count = len(seen)
    assert count
    assert image("zstd") == first
    assert len(seen) == count
    assert image("gzip") != first
    assert len(seen) == 2 * count


@pytest.mark.parametrize(("kind", "method"), [("squashfs", "zstd"), ("erofs", "none"), ("erofs", "lz4")])
def test_what_the_format_has_no_place_for_is_said_before_anything_is_written(
    kind: str, method: str, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    system, contents = parts(store)
    odd = OwnPart(source="t", location="t", entries=(File(path="odd", xattrs=(("btrfs.x", b""),)),))
    system = replace(system, parts=(*system.parts, odd))
    form = FORMATS.get(f"kernel+{kind}")
    root = list(form.write(system, contents, Options(compression=Compression(method))))[-1]
    with pytest.raises(FinbackError, match=r"odd: .* btrfs\.x") as caught:
        next(iter(root.body()))
    assert caught.value.diagnostics[0].code == "F167"


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("unsquashfs"), reason="no unsquashfs")
def test_unsquashfs_lists_what_the_tar_has(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(outputs("kernel+squashfs", tmp_path / "a")["-squashfs.img"])
    listed = subprocess.run(["unsquashfs", "-lc", image], capture_output=True, text=True, check=True).stdout.split("\n")
    with tarfile.open(fileobj=io.BytesIO(outputs("tar", tmp_path / "b")[".tar"])) as archive:
        names = {m.name.rstrip("/") for m in archive if not m.name.startswith("boot")}
    folders = {n for n in names if any(o.startswith(f"{n}/") for o in names)}
    # -lc lists files and empty directories.
    assert {p.removeprefix("squashfs-root/") for p in listed if p} == names - folders - {".", ""}


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("fsck.erofs"), reason="no fsck.erofs")
@pytest.mark.parametrize("method", ["none", "lz4"])
def test_fsck_erofs_unpacks_what_the_tar_has(method: str, tmp_path: Path) -> None:
    image, out = tmp_path / "image", tmp_path / "out"
    options = Options(compression=Compression(method))
    image.write_bytes(outputs("kernel+erofs", tmp_path / "a", options)["-erofs.img"])
    argv = ["fsck.erofs", f"--extract={out}", "--no-preserve", image]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "<E>" not in done.stdout + done.stderr
    with tarfile.open(fileobj=io.BytesIO(outputs("tar", tmp_path / "b")[".tar"])) as archive:
        members = {m.name.rstrip("/"): m for m in archive if not m.name.startswith("boot")}
        for name, member in members.items():
            if member.isfile():
                assert (out / name).read_bytes() == archive.extractfile(member).read(), name
    found = {str(p.relative_to(out)) for p in out.rglob("*")}
    assert found == members.keys() - {".", ""}
