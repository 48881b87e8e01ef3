"""Plug-ins: the module's path is its registration.

A kind of plug-in is a package (``finback.outputs``) and the name of the one value that each module in it binds
(``FORMAT``). The plug-in's name is the module's, with ``-`` for ``_`` and ``+`` for ``_plus_``; its summary is the
first line of the module's docstring. Other distributions add theirs through entry points of the group of the package's
name. Nothing is imported until it is asked for by name.
"""

from __future__ import annotations

import difflib
import functools
import glob
import importlib
import os.path
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from finback.ground.diagnostic import error

T = TypeVar("T")
# The zipped form of the standard library, which is on every path whether it is there or not.
STANDARD_LIBRARY = f"python{sys.version_info[0]}{sys.version_info[1]}.zip"


@dataclass(frozen=True, slots=True)
class Registry(Generic[T]):
    """All plug-ins of one kind, found by name."""

    package: str
    attribute: str
    noun: str
    """What a user calls one: "format"."""

    def names(self) -> tuple[str, ...]:
        """The names of all plug-ins of this kind, sorted."""
        return tuple(sorted({*self._built_in(), *self._entry_points()}))

    def get(self, name: str) -> T:
        """The plug-in called *name*.

        Raises:
            FinbackError: F010, there is none.

        """
        built_in = self._built_in()
        if name in built_in:
            value: T = getattr(importlib.import_module(f"{self.package}.{built_in[name]}"), self.attribute)
            return value
        entry = self._entry_points().get(name)
        if entry is not None:
            loaded: T = entry.load()
            return loaded
        near = difflib.get_close_matches(name, self.names(), 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise error("F010", f"there is no {self.noun} {name!r}", help=f"{hint}known: {', '.join(self.names())}")

    def summary(self, name: str) -> str:
        """The first line of the docstring of the module that declares *name*."""
        module = self._built_in().get(name)
        docstring = importlib.import_module(f"{self.package}.{module}").__doc__ if module else self.get(name).__doc__
        return (docstring or "").strip().split("\n", 1)[0]

    def __iter__(self) -> Iterator[tuple[str, T]]:
        return ((name, self.get(name)) for name in self.names())

    def _built_in(self) -> dict[str, str]:
        path = importlib.import_module(self.package).__path__
        modules = (m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_"))
        return {m.replace("_plus_", "+").replace("_", "-"): m for m in modules}

    def _entry_points(self) -> dict[str, Any]:
        if not _is_declared(self.package):
            return {}
        from importlib.metadata import entry_points

        return {e.name: e for e in entry_points(group=self.package)}


@functools.cache
def _is_declared(group: str) -> bool:
    """Whether a distribution in a folder of `sys.path` may have entry points of *group*.

    Asking importlib.metadata costs 40 ms, most of it to import it, and nearly nobody has such a distribution. What is
    no folder, such as a zip archive, is not looked into here, so it counts as one that may.
    """
    heading = f"[{group}]".encode()
    for place in sys.path:
        if os.path.isfile(place) and not place.endswith(STANDARD_LIBRARY):
            return True
        for path in glob.iglob(os.path.join(glob.escape(place), "*-info", "entry_points.txt")):
            with open(path, "rb") as text:
                if heading in text.read():
                    return True
    return False
