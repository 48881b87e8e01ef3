"""The drivers that the kernel has, as its own indexes list them.

Source: modules.builtin(5), modules.dep(5). Drivers that can't be built as modules are in neither.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from finback.assemble.bootable import Subject
from finback.assemble.early import INDEX_LIMIT, TREE
from finback.assemble.system import ImagePart
from finback.ground import canonical
from finback.tree.entry import AnyEntry, File

# Raised whenever something else would be remembered of the same image.
VERSION = 1


@dataclass(frozen=True, slots=True)
class Drivers:
    """Names of drivers, with `_` for `-`."""

    built_in: frozenset[str]
    modules: frozenset[str]

    def has(self, name: str) -> bool:
        """Whether there is such a driver, built in or as a module."""
        return name in self.built_in or name in self.modules


def drivers(subject: Subject) -> Drivers | None:
    """The kernel's drivers; None when it does not say which it has."""
    kernel = subject.system.plan.kernel
    part = next((p for p in subject.system.parts if isinstance(p, ImagePart) and p.flavour == "kernel"), None)
    if kernel is None or part is None:
        return None
    key = canonical.digest(["drivers", VERSION, str(part.image), kernel.tar, kernel.tar_required])
    found = subject.store.recall(key, _drivers)
    if found is None:
        kept = _read(subject, subject.contents.entries(part))
        subject.store.remember(key, kept)
        found = _drivers(kept)
    return found if found.built_in else None


def _drivers(value: Mapping[str, list[str]]) -> Drivers:
    return Drivers(frozenset(value["built_in"]), frozenset(value["modules"]))


def _read(subject: Subject, entries: Iterator[AnyEntry]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {"modules.builtin": set(), "modules.dep": set()}
    for entry in entries:
        if isinstance(entry, File) and TREE.fullmatch(entry.path) and entry.content.size <= INDEX_LIMIT:
            text = b"".join(bytes(c) for c in subject.contents.read(entry.content)).decode("utf-8", "replace")
            names = {_name(line.partition(":")[0]) for line in text.splitlines() if line.strip()}
            found[posixpath.basename(entry.path)] |= names
    return {"built_in": sorted(found["modules.builtin"]), "modules": sorted(found["modules.dep"])}


def _name(path: str) -> str:
    return re.sub(r"\.ko(\.\w+)?$", "", posixpath.basename(path.strip())).replace("-", "_")
