"""What a format can't hold is said by file and number, with the formats that can."""

from __future__ import annotations

from pathlib import Path

import pytest

from finback.assemble.contents import StoreContents
from finback.assemble.extent import HOLDS, findings
from finback.assemble.system import OwnPart, System
from finback.ground.diagnostic import Diagnostic
from finback.ground.digest import Digest
from finback.ground.event import silent
from finback.ground.platform import Platform
from finback.host.store import Store
from finback.outputs import FORMATS
from finback.resolve.plan import Plan
from finback.tree.content import Slice
from finback.tree.entry import AnyEntry, File, Symlink

GIB = 1 << 30


def found(entry: AnyEntry, root: Path) -> dict[str, Diagnostic]:
    """What is said of *entry*, by format."""
    store = Store(root)
    plan = Plan(name="t", platform=Platform(), epoch=0)
    part = OwnPart(source="files", location="files[0]", entries=(entry,))
    system = System(name="t", platform=Platform(), epoch=0, plan=plan, boot=None, parts=(part,))
    said: dict[str, Diagnostic] = {}
    for name, form in FORMATS:
        for diagnostic in findings(system, {name: form.root}, store, StoreContents(store, plan, silent)):
            assert name not in said
            said[name] = diagnostic
    return said


def roots(names: dict[str, Diagnostic]) -> set[str]:
    return {FORMATS.get(n).root for n in names}


def file(size: int = 0, **more: int) -> File:
    return File(path="a/b", content=Slice(Digest.of(b""), 0, size), **more)


@pytest.mark.parametrize(
    ("entry", "unable", "word"),
    [
        (file(4 * GIB - 1), set(), ""),
        (file(4 * GIB), {"initrd"}, "4294967296 bytes"),
        (file(9 * GIB), {"initrd"}, "kernel+squashfs"),
        (file(uid=(1 << 32) - 2), set(), ""),
        (file(gid=(1 << 32) - 1), set(HOLDS), "4294967295"),
        (file(mtime=(1 << 32) - 1), set(), ""),
        (file(mtime=1 << 32), {"initrd", "squashfs"}, "kernel+erofs"),
        (file(mtime=5869584000), {"initrd", "squashfs", "iso9660"}, "tar"),
        (file(mtime=-1), {"initrd", "squashfs", "erofs"}, "tar"),
        (File(path="a" * 255), set(), ""),
        (File(path="a" * 256), set(HOLDS), "256 bytes"),
        (File(path="é" * 128), set(HOLDS), "256 bytes"),
        (File(path="/".join(["a" * 200] * 21)), set(HOLDS), "path has 4220 bytes"),
        (Symlink(path="a", target="b" * 4095), set(), ""),
        (Symlink(path="a", target="b" * 4096), set(HOLDS), "target has 4096 bytes"),
    ],
)
def test_every_format_has_its_bounds(entry: AnyEntry, unable: set[str], word: str, tmp_path: Path) -> None:
    said = found(entry, tmp_path)
    assert roots(said) == unable
    for diagnostic in said.values():
        assert diagnostic.code == "F164"
        assert word in f"{diagnostic.message} {diagnostic.help}"


def test_every_format_brings_its_root_in_a_known_way() -> None:
    assert {form.root for _, form in FORMATS} <= set(HOLDS)
