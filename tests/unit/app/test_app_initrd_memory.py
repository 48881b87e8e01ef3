"""Which machines are too small for their initrd."""

from __future__ import annotations

from pathlib import Path

import pytest

from finback.app.machine import memory as initrd_memory
from finback.assemble import memory
from finback.assemble.memory import MIB, Footprint
from finback.codec import cpio
from finback.codec.compress import compress
from finback.ground.diagnostic import FinbackError
from finback.tree.content import Inline, read_inline
from finback.tree.entry import File


@pytest.fixture
def initrd(tmp_path: Path) -> Path:
    path = tmp_path / "t-initrd.img"
    archive = cpio.encode([File(path="large", content=Inline(bytes(20 * MIB)))], read_inline)
    path.write_bytes(b"".join(compress(archive, "zstd")))
    return path


def test_what_is_in_it_may_take_half_of_the_memory(initrd: Path) -> None:
    initrd_memory.check(initrd, 41, "console=ttyS0")
    with pytest.raises(FinbackError, match="40 MiB") as caught:
        initrd_memory.check(initrd, 40, "console=ttyS0")
    assert caught.value.diagnostics[0].code == "F533"
    assert caught.value.diagnostics[0].help


def test_a_root_on_the_command_line_makes_it_a_ramfs(initrd: Path) -> None:
    initrd_memory.check(initrd, 21, "quiet root=/dev/vda")
    with pytest.raises(FinbackError):
        initrd_memory.check(initrd, 20, "quiet root=/dev/vda")


def test_what_cannot_be_read_is_left_to_the_kernel(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_bytes(b"\x04\x22\x4d\x18lz4 as some kernels take it")
    initrd_memory.check(path, 16, "")


def test_what_is_stated_is_enough_for_what_is_demanded() -> None:
    for size in (0, 1, 100 * MIB, 3 << 30):
        tree = Footprint(size, size // 5000)
        for limited in (True, False):
            stated = memory.stated(tree, size // 3, 12 * MIB, limited=limited)
            assert stated % memory.STEP == 0
            assert stated * 63 // 64 >= memory.least(tree, size // 3, limited=limited) + memory.ALLOWANCE
    # Many small files need inodes, of which a tmpfs has one for two pages.
    assert memory.least(Footprint(0, 1000), 0, limited=True) == 2 * 1000 * memory.PAGE
