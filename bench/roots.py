"""SquashFS and EROFS beside mksquashfs and mkfs.erofs: the same tree, compressor and level, two processors.

Processor time is given too: where other work shares the machine, it tells more than the clock.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.measure import row
from finback.codec import erofs, squashfs, tar
from finback.ground.digest import Digest
from finback.tree.content import Content, Inline, Reader
from finback.tree.entry import AnyEntry

TARGET = 400_000_000
RUNS = 3
CASES = (("zstd", 3), ("zstd", 15), ("gzip", 9), ("xz", None), ("lz4", None), ("lz4", 12))
# Compressors this slow get less to do.
SLOW = {("zstd", 15): 16, ("gzip", 9): 16, ("xz", None): 32, ("lz4", 12): 8}
# Of an EROFS; mkfs.erofs of Debian 12 knows LZ4 only.
EROFS_CASES = ((None, None), ("lz4", None), ("lz4", 12))
ARCHIVE = Digest("sha256", "0" * 64)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for method, level in CASES:
            if shutil.which("mksquashfs"):
                _squashfs(folder, method, level)
        if shutil.which("mkfs.erofs"):
            for method, level in EROFS_CASES:
                _erofs(folder, method, level)


def _squashfs(folder: Path, method: str, level: int | None) -> None:
    tree, entries, read = _tree(folder, TARGET // SLOW.get((method, level), 1))
    options = ["-comp", method]
    if level:
        options += ["-Xhc"] if method == "lz4" else ["-Xcompression-level", str(level)]
    fixed = ["-processors", "2", "-noappend", "-no-progress", "-quiet", "-all-time", "0", "-mkfs-time", "0"]

    def write(out: Path) -> None:
        with out.open("wb") as stream:
            stream.write(bytes(squashfs.HEAD))
            making = squashfs.encode(entries, read, squashfs.Settings(method=method, level=level, workers=2))
            head = yield_all(making, stream.write)
            stream.seek(0)
            stream.write(head)

    _compare(f"squashfs {method} {level or ''}", folder, write, ["mksquashfs", tree, "{out}", *options, *fixed])


def yield_all(making: Iterator[bytes], write: Callable[[bytes], object]) -> bytes:
    """Write what a writer yields; what it returns."""
    while True:
        try:
            write(next(making))
        except StopIteration as end:
            return bytes(end.value)


def _erofs(folder: Path, method: str | None, level: int | None) -> None:
    tree, entries, read = _tree(folder, TARGET // SLOW.get((method or "", level), 1))

    def write(out: Path) -> None:
        with out.open("wb") as stream:
            if method is None:
                stream.writelines(erofs.encode(entries, read))
                return
            stream.write(bytes(erofs.HEAD))
            making = erofs.compressed(entries, read, erofs.Settings(method=method, level=level, workers=2))
            head = yield_all(making, stream.write)
            stream.seek(0)
            stream.write(head)

    options = [f"-z{method}hc,{level}" if level else f"-z{method}"] if method else []
    name = f"erofs {method or ''} {level or ''}".strip()
    _compare(name, folder, write, ["mkfs.erofs", "--quiet", "-T0", *options, "{out}", tree])


def _compare(name: str, folder: Path, write: Callable[[Path], None], theirs: list[str | Path]) -> None:
    own, other = folder / "own.img", folder / "other.img"
    argv = [str(a).format(out=other) for a in theirs]

    def tool() -> None:
        other.unlink(missing_ok=True)
        subprocess.run(argv, check=True, capture_output=True)

    ours, tools = _best(lambda: write(own), resource.RUSAGE_SELF), _best(tool, resource.RUSAGE_CHILDREN)
    sizes = own.stat().st_size, other.stat().st_size
    row(name, f"{ours[0]:.2f} s", f"{tools[0]:.2f} s by {argv[0]}, ratio {ours[0] / tools[0]:.2f}")
    row("  processors", f"{ours[1]:.2f} s", f"{tools[1]:.2f} s, ratio {ours[1] / tools[1]:.2f}")
    row("  size", f"{sizes[0] / 1e6:.1f} MB", f"{sizes[1] / 1e6:.1f} MB, ratio {sizes[0] / sizes[1]:.3f}")


def _best(what: Callable[[], None], who: int) -> tuple[float, float]:
    """The least time by the clock and of the processors in some runs."""
    clock, processors = [], []
    for _ in range(RUNS):
        used, began = _used(who), time.perf_counter()
        what()
        clock.append(time.perf_counter() - began)
        processors.append(_used(who) - used)
    return min(clock), min(processors)


def _used(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _tree(folder: Path, target: int) -> tuple[Path, list[AnyEntry], Reader]:
    """About *target* bytes of this machine's programs and libraries, as a folder and as entries of an archive."""
    place, archive = folder / f"tree-{target}", folder / f"tree-{target}.tar"
    if not place.exists():
        left = target
        sources = [p for root in (Path("/usr/lib"), Path(sys.prefix)) for p in sorted(root.rglob("*"))]
        for source in sources:
            if left <= 0:
                break
            if source.is_file() and not source.is_symlink() and os.access(source, os.R_OK):
                goal = place / str(source).lstrip("/")
                goal.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, goal)
                os.utime(goal, (0, 0))
                left -= source.stat().st_size
        with tarfile.open(archive, "w") as out:
            out.add(place, arcname=".", filter=_timeless)
    handle = os.open(archive, os.O_RDONLY)
    with archive.open("rb") as stream:
        entries = list(tar.decode(stream, ARCHIVE))

    def read(content: Content) -> Iterator[bytes]:
        if isinstance(content, Inline):
            yield content.data
            return
        at, end = content.offset, content.offset + content.size
        while at < end:
            chunk = os.pread(handle, min(end - at, 1 << 20), at)
            yield chunk
            at += len(chunk)

    return place, entries, read


def _timeless(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    return member
