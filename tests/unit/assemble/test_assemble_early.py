"""The small initrd of a root on a disk."""

from __future__ import annotations

import pytest

from finback.assemble.early import early
from finback.ground.diagnostic import FinbackError
from finback.tree.content import Inline, read_inline
from finback.tree.entry import AnyEntry, File, HardLink

DEP = b"""\
kernel/fs/squashfs/squashfs.ko.xz:
kernel/fs/erofs/erofs.ko: kernel/lib/libcrc32c.ko
kernel/lib/libcrc32c.ko:
kernel/drivers/block/virtio_blk.ko:
kernel/drivers/net/virtio_net.ko: kernel/net/core/failover.ko
"""
FOLDER = "usr/lib/modules/6.1"


def file(path: str, data: bytes = b"x") -> File:
    return File(path=path, content=Inline(data))


def kernel(
    dep: bytes = DEP, built_in: bytes = b"kernel/drivers/virtio/virtio_pci.ko\n", at: str = FOLDER
) -> list[AnyEntry]:
    paths = [line.split(":")[0] for line in dep.decode().splitlines()]
    indexes = [file(f"{at}/modules.dep", dep), file(f"{at}/modules.builtin", built_in), file(f"{at}/modules.alias")]
    return [*(file(f"{at}/{p}") for p in paths), *indexes]


INIT: list[AnyEntry] = [
    file("usr/lib/finback/mount-root", b"#!"),
    file("usr/bin/ash"),
    HardLink(path="usr/bin/busybox", target="usr/bin/ash"),
]


def paths(entries: list[AnyEntry]) -> set[str]:
    return {e.path for e in entries}


def test_it_holds_the_modules_and_what_they_depend_on() -> None:
    made = early([*kernel(), *INIT], "erofs", read_inline, None)
    found = paths(made)
    assert {"init", "bin", "usr/bin/busybox", "lib/modules/6.1/modules.dep"} <= found
    assert {
        f"lib/modules/6.1/kernel/{p}.ko" for p in ("fs/erofs/erofs", "lib/libcrc32c", "drivers/block/virtio_blk")
    } <= found
    assert not any("squashfs" in p or "virtio_net" in p for p in found)
    seen: set[str] = set()
    for entry in made:
        assert entry.path.rpartition("/")[0] in {"", *seen}
        seen.add(entry.path)


def test_a_compressed_module_and_a_root_without_merged_usr() -> None:
    found = paths(early([*kernel(at="lib/modules/6.1"), *INIT], "squashfs", read_inline, None))
    assert "lib/modules/6.1/kernel/fs/squashfs/squashfs.ko.xz" in found


def test_what_a_soft_dependency_wants_comes_too() -> None:
    soft = file(f"{FOLDER}/modules.softdep", b"softdep squashfs pre: erofs post: virtio_net\n")
    found = paths(early([*kernel(), soft, *INIT], "squashfs", read_inline, None))
    assert "lib/modules/6.1/kernel/lib/libcrc32c.ko" in found
    assert not any("virtio_net" in p for p in found)


def test_there_is_none_where_all_is_built_in() -> None:
    built_in = b"kernel/fs/squashfs/squashfs.ko\nkernel/drivers/block/virtio_blk.ko\n"
    assert early([*kernel(b"", built_in), *INIT], "squashfs", read_inline, None) == []
    assert early(kernel(b"", built_in), "squashfs", read_inline, None) == []
    assert early(INIT, "squashfs", read_inline, None) == []


def test_a_disk_driver_that_is_a_module_needs_one_too() -> None:
    dep, built_in = b"kernel/drivers/block/virtio_blk.ko:\n", b"kernel/fs/squashfs/squashfs.ko\nkernel/nvme.ko\n"
    found = paths(early([*kernel(dep, built_in), *INIT], "squashfs", read_inline, None))
    assert "lib/modules/6.1/kernel/drivers/block/virtio_blk.ko" in found


def test_a_kernel_without_the_file_system_is_refused() -> None:
    with pytest.raises(FinbackError) as caught:
        early([*kernel(b"kernel/drivers/block/virtio_blk.ko:\n"), *INIT], "erofs", read_inline, None)
    assert caught.value.diagnostics[0].code == "F165"
    assert "kernel+initrd" in caught.value.diagnostics[0].help


@pytest.mark.parametrize("missing", ["usr/bin/busybox", "usr/lib/finback/mount-root"])
def test_an_init_that_cannot_load_modules_is_refused(missing: str) -> None:
    with pytest.raises(FinbackError) as caught:
        early([*kernel(), *(e for e in INIT if e.path != missing)], "squashfs", read_inline, None)
    assert caught.value.diagnostics[0].code == "F166"
    assert missing in caught.value.diagnostics[0].message
