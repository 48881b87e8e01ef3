"""A kernel component: the kernel at `/kernel`, and chosen modules, uncompressed and indexed, below /usr/lib/modules."""

from __future__ import annotations

import re
from dataclasses import replace

from finback.component import module_index
from finback.component.definition import KernelModules
from finback.component.module_index import Module
from finback.component.select import pattern
from finback.component.unpack import Unpacked
from finback.ground.diagnostic import error
from finback.tree.content import Inline
from finback.tree.entry import AnyEntry, Directory, File

MODULES = "usr/lib/modules"
MODULE_LIMIT = 64 << 20


def kernel_tree(unpacked: Unpacked, wanted: KernelModules, epoch: int) -> dict[str, AnyEntry]:
    """The image's entries by path.

    Raises:
        FinbackError: F146 the packages hold no kernel, or several; F147 a module is not there; F148 one is faulty.

    """
    images = [p for p in unpacked.tree if re.fullmatch(r"boot/vmlinu[xz]-.+", p)]
    if len(images) != 1:
        found = ", ".join(images) or "none"
        raise error(
            "F146",
            f"the packages hold {found} where one kernel is needed",
            wanted.origin.span,
            help="name one image package",
        )
    version = images[0].split("-", 1)[1]
    root = f"{MODULES}/{version}"
    kernel = unpacked.tree[images[0]]
    out: dict[str, AnyEntry] = {"kernel": replace(kernel, path="kernel")}
    available, built_in = _available(unpacked, root)
    chosen = _choose(wanted, available, built_in)
    described: dict[str, Module] = {}
    data: dict[str, bytes] = {}
    try:
        todo = list(chosen)
        while todo:
            name = todo.pop()
            if name in described or (name not in available and name in built_in):
                continue
            path = available[name]
            entry = unpacked.tree[f"{root}/{path}"]
            assert isinstance(entry, File)
            data[name] = _uncompressed(path, unpacked.data(entry, MODULE_LIMIT))
            described[name] = module_index.describe(re.sub(r"\.(xz|zst|gz)$", "", path), data[name])
            todo += described[name].depends
            todo += [n for n in described[name].before if n in available]
        modules = module_index.closure(chosen, described, built_in)
    except (KeyError, ValueError) as failure:
        raise error(
            "F148",
            f"a kernel module is faulty or missing: {failure}",
            wanted.origin.span,
            help="choose another kernel package",
        ) from None
    for module in modules:
        path = f"{root}/{module.path}"
        out[path] = File(path=path, mtime=epoch, content=Inline(data[module.name]))
    for name, text in module_index.files(modules).items():
        out[f"{root}/{name}"] = File(path=f"{root}/{name}", mtime=epoch, content=Inline(text))
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        if f"{root}/{name}" in unpacked.tree:
            out[f"{root}/{name}"] = unpacked.tree[f"{root}/{name}"]
    return with_parents(out, epoch)


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


def _uncompressed(path: str, data: bytes) -> bytes:
    import gzip
    import lzma

    if path.endswith(".xz"):
        try:
            return lzma.decompress(data, memlimit=1 << 30)
        except lzma.LZMAError as failure:
            raise ValueError(f"{path}: {failure}") from None
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".zst"):
        from finback.codec.compress import zstd_decompressor

        return bytes(zstd_decompressor().decompress(data))
    return data
