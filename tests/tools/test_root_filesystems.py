"""SquashFS and EROFS against their own tools and the kernel."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finback.codec import erofs, squashfs
from finback.ground.digest import Digest
from finback.tree.content import Content, Inline, Reader, Slice, read_inline
from finback.tree.entry import AnyEntry, Device, Directory, Fifo, File, HardLink, Socket, Symlink
from trees import content, expected, found, trees

pytestmark = pytest.mark.tools

Write = Callable[[Iterable[AnyEntry], Reader, Path], None]
SOME = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def write_squashfs(entries: Iterable[AnyEntry], read: Reader, path: Path, **how: object) -> None:
    with path.open("wb") as out:
        out.write(bytes(squashfs.HEAD))
        making = squashfs.encode(entries, read, squashfs.Settings(mtime=1000, **how))
        while True:
            try:
                out.write(next(making))
            except StopIteration as end:
                head = end.value
                break
        out.seek(0)
        out.write(head)


def write_erofs(entries: Iterable[AnyEntry], read: Reader, path: Path) -> None:
    with path.open("wb") as out:
        for chunk in erofs.encode(entries, read, erofs.Settings(mtime=1000, label=b"finback")):
            out.write(chunk)


WRITERS: dict[str, Write] = {"squashfs": write_squashfs, "erofs": write_erofs}
each_writer = pytest.mark.parametrize("kind", WRITERS)


def run(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, timeout=120, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, said
    return said


@contextmanager
def mounted(image: Path, kind: str) -> Iterator[Path]:
    """The image mounted by the kernel of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", kind, "-o", "loop,ro", image, folder], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def can_mount(kind: str) -> bool:
    """Whether the kernel mounts a file system of *kind* here; a machine without root or loop devices says no."""
    known = Path("/proc/filesystems")
    if os.geteuid() or not known.exists() or f"\t{kind}\n" not in known.read_text():
        return False
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe"
        probe.write_bytes(bytes(1 << 20))
        done = subprocess.run(["losetup", "--find", "--show", probe], capture_output=True, text=True, check=False)
        if done.returncode:
            return False
        subprocess.run(["losetup", "--detach", done.stdout.strip()], check=True)
    return True


def needs_mount(kind: str) -> None:
    if not can_mount(kind):
        pytest.skip(f"{kind} can't be mounted here")


def needs(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")


def faults(image: Path) -> str:
    """What fsck.erofs complains of; it ends with status 0 all the same."""
    said = subprocess.run(["fsck.erofs", image], capture_output=True, text=True, timeout=120, check=False)
    complaints = [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("<E>")]
    return "\n".join(complaints) or ("" if said.returncode == 0 else said.stderr)


def check(image: Path, kind: str) -> None:
    if kind == "erofs":
        assert faults(image) == ""
    else:
        run("unsquashfs", "-s", image)


@each_writer
@SOME
@given(tree=trees())
def test_the_kernel_sees_the_tree(kind: str, tree: list[AnyEntry], tmp_path: Path) -> None:
    needs_mount(kind)
    WRITERS[kind](tree, read_inline, tmp_path / "image")
    with mounted(tmp_path / "image", kind) as root:
        assert found(root) == expected(tree)


@SOME
@given(
    tree=trees(),
    method=st.sampled_from(["zstd", "gzip", "xz", "none"]),
    size=st.sampled_from([4096, 131072, 1 << 20]),
)
def test_unsquashfs_unpacks_the_tree(tree: list[AnyEntry], method: str, size: int, tmp_path: Path) -> None:
    needs("unsquashfs")
    # Devices, owners and most modes are root's to make.
    kinds = (Directory, File, HardLink, Symlink, Fifo) if os.geteuid() else (object,)
    tree = [e for e in tree if isinstance(e, kinds)]
    image, out = tmp_path / "image", tmp_path / "out"
    write_squashfs(tree, read_inline, image, method=method, block_size=size)
    run("unsquashfs", "-quiet", "-no-progress", "-no-xattrs", "-dest", out, image)
    try:
        if os.geteuid():
            assert found(out, xattrs=False).keys() == expected(tree).keys()
        else:
            assert found(out, xattrs=False) == expected(tree, xattrs=False)
    finally:
        shutil.rmtree(out, ignore_errors=True)


@SOME
@given(tree=trees())
def test_fsck_erofs_is_content(tree: list[AnyEntry], tmp_path: Path) -> None:
    needs("fsck.erofs", "dump.erofs")
    image = tmp_path / "image"
    write_erofs(tree, read_inline, image)
    assert faults(image) == ""
    said = run("dump.erofs", "-s", image)
    count = 1 + sum(not isinstance(e, HardLink) for e in tree)
    assert f"inode count:                       {count}\n" in said


def test_fsck_erofs_finds_a_wrong_checksum(tmp_path: Path) -> None:
    needs("fsck.erofs")
    image = tmp_path / "image"
    write_erofs([], read_inline, image)
    data = bytearray(image.read_bytes())
    data[1024 + 64] ^= 1
    image.write_bytes(data)
    assert "checksum" in faults(image)


@each_writer
@pytest.mark.slow
def test_a_hundred_thousand_entries(kind: str, tmp_path: Path) -> None:
    needs_mount(kind)
    tree: list[AnyEntry] = [Directory(path="many"), Directory(path="few")]
    tree += [File(path=f"many/{n:06d}", content=Inline(b"%d" % (n % 1000))) for n in range(97_000)]
    tree += [Directory(path=f"few/{n}") for n in range(1500)]
    tree += [Symlink(path=f"few/{n}/link", target=f"../../many/{n:06d}") for n in range(1500)]
    WRITERS[kind](tree, read_inline, tmp_path / "image")
    check(tmp_path / "image", kind)
    with mounted(tmp_path / "image", kind) as root:
        assert sorted(os.listdir(root / "many")) == [f"{n:06d}" for n in range(97_000)]
        # Found by name, through the index.
        for number in (0, 1, 499, 500, 48_111, 96_999, *range(3, 97_000, 1009)):
            assert (root / "many" / f"{number:06d}").read_bytes() == b"%d" % (number % 1000)
        assert not (root / "many" / "0969995").exists()
        assert all((root / "few" / str(n) / "link").read_bytes() == b"%d" % (n % 1000) for n in range(1500))
        assert os.stat(root / "few").st_nlink == 1502


HOLE = Digest("sha256", "0" * 64)
GIB = 1 << 30
FIVE_GB = 5 * GIB + 12345
MARKS = {0: b"first", 3 * GIB + 77: b"in the midst", FIVE_GB - 4: b"last"}


def read_sparse(part: Content) -> Iterator[bytes]:
    """A file of 5 GiB with a few bytes in it, without the file."""
    if isinstance(part, Inline):
        yield part.data
        return
    assert isinstance(part, Slice)
    at, end = part.offset, part.offset + part.size
    zeros = bytes(1 << 20)
    while at < end:
        size = min(end - at, 1 << 20)
        chunk = zeros if size == len(zeros) else zeros[:size]
        for mark, text in MARKS.items():
            if mark < at + size and mark + len(text) > at:
                whole = bytearray(len(text) + size + len(text))
                place = mark - at + len(text)
                whole[place : place + len(text)] = text
                chunk = bytes(whole[len(text) : len(text) + size])
        yield chunk
        at += size


@each_writer
@pytest.mark.slow
def test_five_gigabytes_with_holes(kind: str, tmp_path: Path) -> None:
    needs_mount(kind)
    image = tmp_path / "image"
    tree = [File(path="large", content=Slice(HOLE, 0, FIVE_GB)), File(path="small", content=content(5000, 3))]
    WRITERS[kind](tree, read_sparse, image)
    assert image.stat().st_size < 8 << 20
    check(image, kind)
    with mounted(image, kind) as root:
        about = (root / "large").stat()
        assert about.st_size == FIVE_GB
        with (root / "large").open("rb") as stream:
            for mark, text in MARKS.items():
                stream.seek(mark)
                assert stream.read(len(text)) == text
            stream.seek(4 * GIB)
            assert not any(stream.read(1 << 20))
        assert (root / "small").read_bytes() == read_bytes(tree[1])


def read_bytes(file: File) -> bytes:
    assert isinstance(file.content, Inline)
    return file.content.data


@each_writer
def test_deep_folders_and_many_links(kind: str, tmp_path: Path) -> None:
    needs_mount(kind)
    deep = ["/".join(["d"] * n) for n in range(1, 1500)]
    tree: list[AnyEntry] = [Directory(path=p) for p in deep]
    tree.append(File(path="one", content=Inline(b"1")))
    tree += [HardLink(path=f"{p}/link", target="one") for p in deep[:300]]
    tree += [Device(path="null", block=False, major=1, minor=3), Socket(path="s"), Fifo(path="f")]
    WRITERS[kind](tree, read_inline, tmp_path / "image")
    check(tmp_path / "image", kind)
    with mounted(tmp_path / "image", kind) as root:
        assert os.stat(root / "one").st_nlink == 301
        assert (root / deep[299] / "link").read_bytes() == b"1"
        assert os.stat(root / deep[10]).st_nlink == 3


class Handle(ctypes.Structure):
    """struct file_handle of fcntl.h."""

    _fields_ = (("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_char * 128))


@each_writer
def test_a_file_is_found_by_its_number_alone(kind: str, tmp_path: Path) -> None:
    """What NFS does: a handle taken from one mount is opened in another, whose kernel has seen no name yet."""
    needs_mount(kind)
    tree = [Directory(path="a"), *(File(path=f"a/{n}", content=Inline(b"%d" % n)) for n in range(3000))]
    WRITERS[kind](tree, read_inline, tmp_path / "image")
    libc = ctypes.CDLL(None, use_errno=True)
    handles: dict[int, Handle] = {}
    with mounted(tmp_path / "image", kind) as root:
        for number in (0, 1, 1023, 1024, 2999):
            handle = handles[number] = Handle(bytes=128)
            path = os.fsencode(root / "a" / str(number))
            said = libc.name_to_handle_at(-100, path, ctypes.byref(handle), ctypes.byref(ctypes.c_int()), 0)
            assert said == 0, os.strerror(ctypes.get_errno())
    with mounted(tmp_path / "image", kind) as root:
        top = os.open(root, os.O_RDONLY)
        try:
            for number, handle in handles.items():
                opened = libc.open_by_handle_at(top, ctypes.byref(handle), os.O_RDONLY)
                assert opened >= 0, os.strerror(ctypes.get_errno())
                with os.fdopen(opened, "rb") as stream:
                    assert stream.read() == b"%d" % number
        finally:
            os.close(top)
