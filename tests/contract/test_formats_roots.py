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


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_the_same_for_any_number_of_processors(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for count in (1, 2, 5):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        made.append(outputs(f"kernel+{kind}", tmp_path / str(count)))
    assert made[0] == made[1] == made[2]
    assert set(made[0]) == {"-kernel", "-cmdline", f"-{kind}.img"}
    assert made[0]["-cmdline"] == b"console=ttyS0"
    assert made[0]["-kernel"]


@pytest.mark.parametrize("compression", ["zstd:1", "zstd:9", "gzip", "none"])
def test_the_compression_is_that_of_the_squashfs(compression: str, tmp_path: Path) -> None:
    image = outputs("kernel+squashfs", tmp_path, Options(compression=Compression.parse(compression)))["-squashfs.img"]
    assert int.from_bytes(image[20:22], "little") == (6 if compression.startswith("zstd") else 1)
    assert (b"W" * 70000 in image) == (compression == "none")


def test_a_squashfs_is_made_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = make_plan(store)
    system = assembling.build(plan, store)
    seen: list[Event] = []
    contents = StoreContents(store, plan, seen.append)

    def image(options: Options) -> bytes:
        root = list(FORMATS.get("kernel+squashfs").write(system, contents, options))[-1]
        return b"".join(b"".join(store.chunks(p)) if isinstance(p, Slice) else p for p in root.body())

    first = image(Options())
    count = len(seen)
    assert count
    assert image(Options()) == first
    assert len(seen) == count
    assert image(Options(compression=Compression("gzip"))) != first
    assert len(seen) == 2 * count


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_format_has_no_place_for_is_said_before_anything_is_written(kind: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    system, contents = parts(store)
    odd = OwnPart(source="t", location="t", entries=(File(path="odd", xattrs=(("btrfs.x", b""),)),))
    system = replace(system, parts=(*system.parts, odd))
    root = list(FORMATS.get(f"kernel+{kind}").write(system, contents, Options()))[-1]
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
def test_fsck_erofs_finds_no_fault(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(outputs("kernel+erofs", tmp_path / "a")["-erofs.img"])
    done = subprocess.run(["fsck.erofs", image], capture_output=True, text=True, check=True)
    assert "<E>" not in done.stdout + done.stderr
