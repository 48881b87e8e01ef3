"""SquashFS and EROFS against their own tools and the kernel."""

from __future__ import annotations

import ctypes
import fcntl
import gzip
import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
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

LOOPS = Path(tempfile.gettempdir()) / f"finback-tests-{os.geteuid()}-loop-devices"
Write = Callable[[Iterable[AnyEntry], Reader, Path], None]
SOME = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def write_squashfs(entries: Iterable[AnyEntry], read: Reader, path: Path, **how: object) -> None:
    put(squashfs.encode(entries, read, squashfs.Settings(mtime=1000, **how)), squashfs.HEAD, path)


def put(making: Generator[bytes, None, bytes], size: int, path: Path) -> None:
    """Write an image whose head, of *size* bytes, is known last."""
    # A new file: a loop device lets go of the one before only some time after its mount ended.
    path.unlink(missing_ok=True)
    with path.open("wb") as out:
        out.write(bytes(size))
        while True:
            try:
                out.write(next(making))
            except StopIteration as end:
                head = end.value
                break
        out.seek(0)
        out.write(head)


def write_erofs(entries: Iterable[AnyEntry], read: Reader, path: Path) -> None:
    path.unlink(missing_ok=True)
    with path.open("wb") as out:
        for chunk in erofs.encode(entries, read, erofs.Settings(mtime=1000, label=b"finback")):
            out.write(chunk)


def write_compressed(
    entries: Iterable[AnyEntry], read: Reader, path: Path, method: str, level: int | None = None
) -> None:
    settings = erofs.Settings(mtime=1000, label=b"finback", method=method, level=level)
    put(erofs.compressed(entries, read, settings), erofs.HEAD, path)


# By the file system and, after a space, what it is compressed with.
WRITERS: dict[str, Write] = {
    "squashfs": write_squashfs,
    "squashfs lz4": partial(write_squashfs, method="lz4"),
    "erofs": write_erofs,
    **{f"erofs {method}": partial(write_compressed, method=method) for method in ("lz4", "zstd", "gzip")},
}
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
        with LOOPS.open("w") as lock:
            # Two that ask for a free loop device at a time are given the same, and one of them fails.
            fcntl.flock(lock, fcntl.LOCK_EX)
            argv = ["mount", "-t", kind.split(maxsplit=1)[0], "-o", "loop,ro", image, folder]
            done = subprocess.run(argv, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


@cache
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
    kind, _, method = kind.partition(" ")
    if not can_mount(kind) or (kind == "erofs" and method not in built_in()):
        pytest.skip(f"{kind} can't be mounted here")


@cache
def built_in() -> set[str]:
    """What the kernel of this machine takes for the compression of an EROFS."""
    config = Path("/proc/config.gz")
    if not config.exists():
        return {""}
    words = gzip.decompress(config.read_bytes()).decode().splitlines()
    options = {"lz4": "", "gzip": "_DEFLATE", "zstd": "_ZSTD"}
    return {"", *(m for m, option in options.items() if f"CONFIG_EROFS_FS_ZIP{option}=y" in words)}


@cache
def known_to_fsck() -> set[str]:
    said = run("fsck.erofs", "--help").partition("algorithms are:")[2]
    return {"", *({"deflate": "gzip"}.get(word, word) for word in re.findall(r"\w+", said))}


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
    if kind.startswith("erofs"):
        if kind.partition(" ")[2] in known_to_fsck():
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
    method=st.sampled_from(["zstd", "gzip", "xz", "lz4", "none"]),
    size=st.sampled_from([4096, 131072, 1 << 20]),
)
def test_unsquashfs_unpacks_the_tree(tree: list[AnyEntry], method: str, size: int, tmp_path: Path) -> None:
    needs("unsquashfs")
    if os.geteuid():
        # Devices and owners are root's to make, and only root goes where no mode lets it.
        kinds = (Directory, File, HardLink, Symlink, Fifo)
        tree = [replace(e, mode=e.mode | 0o700) for e in tree if isinstance(e, kinds)]
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
@given(tree=trees(), level=st.sampled_from([None, 1, 9, 12]))
def test_fsck_erofs_unpacks_the_tree(tree: list[AnyEntry], level: int | None, tmp_path: Path) -> None:
    needs("fsck.erofs")
    # Devices and owners are root's to make, and what can't be read can't be compared. A hole at the end is forgotten by
    # version 1.5.
    tree = [replace(e, mode=0o755) for e in tree if isinstance(e, Directory) or (isinstance(e, File) and not hole(e))]
    image, out = tmp_path / "image", tmp_path / "out"
    write_compressed(tree, read_inline, image, "lz4", level)
    run("fsck.erofs", f"--extract={out}", "--no-preserve", image)
    try:
        assert {k: v[5] for k, v in found(out, xattrs=False).items()} == {k: v[5] for k, v in expected(tree).items()}
    finally:
        shutil.rmtree(out, ignore_errors=True)


@pytest.mark.parametrize("method", ["lz4", "zstd", "gzip"])
def test_compressed_files_of_several_pieces(method: str, tmp_path: Path) -> None:
    """Pieces of a MiB, what does not shrink between what does, and an end of every kind."""
    needs_mount(f"erofs {method}")
    noise = random.Random(1).randbytes
    mixed = b"".join((b"finback %d" % n * 3000)[:20000] + noise(n * 700) for n in range(90))
    bodies = {f"mixed {cut}": mixed[: 3 * 1048576 - cut] for cut in (-5000, -4096, -100, -1, 0, 1, 4095, 4096, 4097)}
    bodies |= {
        "zeros": bytes(5000),
        "noise": noise((1 << 20) + 5),
        "long": b"ab" * (3 << 20),
        "same": b"ab" * (3 << 20),
    }
    tree = [File(path=n, content=Inline(b)) for n, b in bodies.items()]
    write_compressed(tree, read_inline, tmp_path / "image", method)
    check(tmp_path / "image", f"erofs {method}")
    assert (tmp_path / "image").stat().st_size < 0.8 * sum(map(len, bodies.values()))
    with mounted(tmp_path / "image", "erofs") as root:
        for name, body in bodies.items():
            assert (root / name).read_bytes() == body, name
            # From anywhere, not only from the beginning.
            with (root / name).open("rb") as stream:
                for at in range(len(body) - 1, 0, -max(1, len(body) // 37)):
                    stream.seek(at)
                    assert stream.read(5000) == body[at : at + 5000], (name, at)


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


def hole(file: File) -> bool:
    return file.content.size >= 1 << 20 and not any(read_bytes(file))


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
