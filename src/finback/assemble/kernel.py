"""The kernel image: what is booted, and the modules that go into the root file system.

Two forms are understood: LinuxKit's, with the modules in an archive inside the image (`kernel.tar`), and finback's,
with them in the image's own tree below usr/lib/modules.

Source: compat 1.4 and 2.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from finback.assemble.system import Boot
from finback.ground import canonical
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci import flatten
from finback.resolve.plan import KernelPlan
from finback.tree import link
from finback.tree.content import Content, Slice
from finback.tree.entry import AnyEntry, Directory, File, HardLink

TREES = ("lib/modules/", "lib/firmware/")
# Raised whenever something else would be remembered of the same image.
VERSION = 1


def boot(kernel: KernelPlan, image: Digest, store: Store) -> Boot:
    """What is loaded before the root file system, from the stored *image*.

    Where it lies in the image is remembered, because reading an image takes as long as a small build may.

    Raises:
        FinbackError: F150, the image has no such kernel; F151, no such microcode; store errors.

    """
    key = canonical.digest(["boot", VERSION, str(image), kernel.binary, kernel.ucode])
    place = store.recall(key, lambda value: _place(value, store))
    if place is None:
        kept = _found(kernel, flatten.entries(store, image))
        store.remember(key, kept)
        place = _place(kept, store)
        assert place is not None
    return Boot(
        kernel=place.kernel,
        kernel_mode=place.mode,
        cmdline=kernel.cmdline,
        microcode=place.microcode if kernel.ucode else None,
        source=kernel.image.reference,
        origin=kernel.origin,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the kernel is in its image."""

    kernel: Slice
    mode: int
    microcode: Slice | None


def _place(kept: Mapping[str, Any], store: Store) -> _Place | None:
    """What is remembered of an image; None when its blobs are gone, or do not have what is remembered."""
    slices = [_slice(kept[k]) for k in ("kernel", "microcode") if kept[k]]
    if not all(store.has(s.blob) and s.offset + s.size <= store.size(s.blob) for s in slices):
        return None
    return _Place(slices[0], int(kept["mode"]), slices[1] if len(slices) > 1 else None)


def _slice(kept: Sequence[Any]) -> Slice:
    return Slice(Digest.parse(kept[0]), int(kept[1]), int(kept[2]))


def _kept(content: Content) -> tuple[str, int, int]:
    # What is read from a layer is a stretch of it.
    assert isinstance(content, Slice)
    return str(content.blob), content.offset, content.size


def _found(kernel: KernelPlan, entries: Iterable[AnyEntry]) -> dict[str, Any]:
    """Where the kernel and its microcode are, as JSON's types."""
    files: dict[str, File] = {}
    for entry in entries:
        if isinstance(entry, File):
            files[entry.path] = entry
        elif isinstance(entry, HardLink) and entry.target in files:
            files[entry.path] = files[entry.target]
    found = files.get(kernel.binary)
    if found is None:
        roots = ", ".join(sorted(p for p in files if "/" not in p)) or "nothing"
        raise error(
            "F150",
            f"image {kernel.image.reference} has no file {kernel.binary} in its root (it has {roots})",
            kernel.origin.at("binary"),
            help="name the kernel's file with `binary:`, or use a kernel image",
        )
    microcode = files.get(kernel.ucode) if kernel.ucode else None
    if kernel.ucode and microcode is None:
        raise error(
            "F151",
            f"image {kernel.image.reference} has no file {kernel.ucode}",
            kernel.origin.at("ucode"),
            help="leave `ucode` out, or use a kernel image that has it",
        )
    return {
        "kernel": _kept(found.content),
        "mode": found.mode,
        "microcode": _kept(microcode.content) if microcode else None,
    }


def modules(kernel: KernelPlan, entries: Iterable[AnyEntry], store: Store, prefix: str) -> list[AnyEntry]:
    """The entries that the kernel image adds to the root file system, every directory before what is in it.

    *prefix* is where the root keeps `lib`: `usr` when its /usr is merged, else "".

    Raises:
        FinbackError: F152, the archive that the spec names is not there, or can't be read.

    """
    everything = list(entries)
    inner = next((e for e in link.only(everything, lambda path: path == kernel.tar) if isinstance(e, File)), None)
    if inner is None and kernel.tar_required:
        raise error(
            "F152",
            f"image {kernel.image.reference} has no file {kernel.tar}",
            kernel.origin.at("tar"),
            help="leave `tar` out to take the modules from the image itself, or write `tar: none`",
        )
    if inner is None:
        found = link.only(everything, lambda path: _bare(path).startswith(TREES)) if kernel.tar else ()
        return flatten.flatten([_moved(found, prefix)])
    assert isinstance(inner.content, Slice)
    from finback.codec import tar

    try:
        blob = _blob(inner.content, store)
        with store.verified(blob).open("rb") as stream:
            return flatten.flatten([_moved(tar.decode(stream, blob), prefix)])
    except ValueError as failure:
        raise error(
            "F152", f"{kernel.tar} in {kernel.image.reference}: {failure}", help="the image is faulty: use another one"
        ) from None


def _blob(content: Slice, store: Store) -> Digest:
    """The archive as a blob of its own, so that what is in it can be a slice of something."""
    key = canonical.digest(["inner archive", str(content.blob), content.offset, content.size])
    kept = store.recall(key, Digest.parse)
    if kept is not None and store.holds(kept, content.size):
        return kept
    with store.ingest() as ingest:
        for chunk in store.chunks(content):
            ingest.write(chunk)
    store.remember(key, str(ingest.digest))
    return ingest.digest


def _bare(path: str) -> str:
    """*path* as it is without a merged /usr."""
    return path.removeprefix("usr/") if f"{path}/".startswith("usr/lib/") else path


def _moved(entries: Iterable[AnyEntry], prefix: str) -> Iterable[AnyEntry]:
    def place(path: str) -> str:
        bare = _bare(path)
        return f"{prefix}/{bare}" if prefix and f"{bare}/".startswith("lib/") else bare

    for entry in entries:
        # The root itself is not ours, nor is a link from lib to usr/lib.
        if not entry.path or (_bare(entry.path) == "lib" and not isinstance(entry, Directory)):
            continue
        moved = replace(entry, path=place(entry.path))
        yield replace(moved, target=place(moved.target)) if isinstance(moved, HardLink) else moved
