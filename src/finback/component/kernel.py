"""A kernel component: the kernel at `/kernel`, and chosen modules, uncompressed and indexed, below /usr/lib/modules.

Modules are decompressed one at a time to files in a scratch folder; the tree's contents are slices of those.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from pathlib import Path

from finback.codec.decompress import decompress
from finback.component import module_index
from finback.component.definition import KernelModules
from finback.component.glob import pattern
from finback.component.module_index import Module
from finback.component.unpack import Unpacked
from finback.ground.diagnostic import error
from finback.ground.digest import Digest
from finback.host.file import scratch_file
from finback.tree.content import Inline, Slice
from finback.tree.entry import AnyEntry, Directory, File

MODULES = "usr/lib/modules"
# The largest module of Debian has 12 MB.
MODULE_LIMIT = 64 << 20
_IMAGE = re.compile(r"boot/vmlinu[xz]-(.+)|usr/lib/modules/([^/]+)/vmlinu[xz]")
_COMPRESSED = re.compile(r"\.(?:xz|zst|gz)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelTree:
    """The image's entries by path, and by path too whose they are."""

    tree: dict[str, AnyEntry]
    owners: dict[str, str]


def kernel_tree(unpacked: Unpacked, wanted: KernelModules, scratch: Path, epoch: int) -> KernelTree:
    """The kernel, and the modules that are wanted, with all that they depend on.

    Raises:
        FinbackError: F146 the packages hold no kernel, or several; F147 a module is not there; F148 one is faulty.

    """
    image, release = _image(unpacked, wanted)
    root = f"{MODULES}/{release}"
    kernel = unpacked.tree[image]
    tree: dict[str, AnyEntry] = {"kernel": replace(kernel, path="kernel")}
    owners = {"kernel": unpacked.owners[image]}
    available, built_in = _available(unpacked, root)
    chosen = _choose(wanted, available, built_in)
    found: dict[str, Module] = {}
    contents: dict[str, Slice] = {}
    try:
        todo = list(chosen)
        while todo:
            name = todo.pop()
            if name in found or (name not in available and name in built_in):
                continue
            path = available[name]
            data = _uncompressed(unpacked, f"{root}/{path}")
            found[name] = module_index.describe(_COMPRESSED.sub("", path), data)
            contents[name] = _spooled(unpacked, data, scratch)
            todo += found[name].depends
            todo += [n for n in found[name].before if n in available]
        modules = module_index.closure(chosen, found, built_in)
    except (KeyError, ValueError) as failure:
        raise error(
            "F148",
            f"a kernel module is faulty or missing: {failure}",
            wanted.origin.span,
            help="choose another kernel package",
        ) from None
    for module in modules:
        path = f"{root}/{module.path}"
        tree[path] = File(path=path, mtime=epoch, content=contents[module.name])
        owners[path] = unpacked.owners[f"{root}/{available[module.name]}"]
    for name, text in module_index.files(modules).items():
        tree[f"{root}/{name}"] = File(path=f"{root}/{name}", mtime=epoch, content=Inline(text))
    for path in (f"{root}/{name}" for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order")):
        if path in unpacked.tree:
            tree[path] = unpacked.tree[path]
            owners[path] = unpacked.owners[path]
    return KernelTree(tree=tree, owners=owners)


def _image(unpacked: Unpacked, wanted: KernelModules) -> tuple[str, str]:
    """The path of the kernel, and its release. Later suites than trixie have it beside its modules."""
    images = {p: m[1] or m[2] for p in unpacked.tree if (m := _IMAGE.fullmatch(p))}
    if len(images) != 1:
        found = ", ".join(images) or "none"
        raise error(
            "F146",
            f"the packages hold {found} where one kernel is needed",
            wanted.origin.span,
            help="name one image package",
        )
    return images.popitem()


def with_parents(tree: dict[str, AnyEntry], epoch: int) -> dict[str, AnyEntry]:
    """*tree* with a directory for every parent that has none."""
    out = dict(tree)
    for path in tree:
        step = path.rpartition("/")[0]
        while step and step not in out:
            out[step] = Directory(path=step, mtime=epoch)
            step = step.rpartition("/")[0]
    return out


def _available(unpacked: Unpacked, root: str) -> tuple[dict[str, str], frozenset[str]]:
    prefix = root + "/"
    available = {
        module_index.module_name(p): p.removeprefix(prefix)
        for p in unpacked.tree
        if p.startswith(prefix + "kernel/") and ".ko" in p.rsplit("/", 1)[-1]
    }
    listed = unpacked.tree.get(prefix + "modules.builtin")
    text = unpacked.data(listed).decode() if isinstance(listed, File) else ""
    return available, frozenset(module_index.module_name(line) for line in text.split())


def _choose(wanted: KernelModules, available: dict[str, str], built_in: frozenset[str]) -> list[str]:
    chosen: list[str] = []
    for i, name in enumerate(wanted.modules):
        found = _matching(name, available)
        if not found and not _matching(name, dict.fromkeys(built_in, "")):
            raise error(
                "F147",
                f"the kernel has no module {name}",
                wanted.origin.at("modules", i),
                help="list it under `optional` if some kernels lack it",
            )
        chosen += found
    for name in wanted.optional or ():
        chosen += _matching(name, available)
    return chosen


def _matching(glob: str, names: dict[str, str]) -> list[str]:
    """Module names, or with a slash paths below `kernel/`, that fit *glob*."""
    if "/" in glob:
        return [n for n, path in names.items() if pattern(glob).match(path.removeprefix("kernel/").split(".ko")[0])]
    return [n for n in names if pattern(glob.replace("-", "_")).match(n)]


def _uncompressed(unpacked: Unpacked, path: str) -> bytes:
    entry = unpacked.tree[path]
    if not isinstance(entry, File) or entry.content.size > MODULE_LIMIT:
        raise ValueError(f"{path} is no file of at most {MODULE_LIMIT} bytes")
    suffix = _COMPRESSED.search(path)
    packed = io.BytesIO(unpacked.data(entry, MODULE_LIMIT))
    try:
        return b"".join(decompress(packed.read, suffix[0] if suffix else "", MODULE_LIMIT))
    except ValueError as failure:
        raise ValueError(f"{path} {failure}") from None


def _spooled(unpacked: Unpacked, data: bytes, scratch: Path) -> Slice:
    """*data* in a file of *scratch*, which *unpacked* knows from then on."""
    digest = Digest.of(data)
    if digest not in unpacked.files:
        path = scratch / f"{digest.encoded}.ko"
        with scratch_file(path) as out:
            out.write(data)
        unpacked.files[digest] = path
    return Slice(digest, 0, len(data))
