"""Every error code, declared once: a module for each family, a constant for each code.

The declarations carry texts for people, so that `finback explain` and the reference page of errors have one source.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from finback.ground.errors.code import Code


def declarations() -> Iterator[tuple[str, Code]]:
    """Every code with its name, such as `no-source-file`, in the order of the families and their modules."""
    names = [m.name for m in pkgutil.iter_modules(__path__) if m.name != "code"]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    found = [(c, n) for m in modules for n, c in vars(m).items() if isinstance(c, Code)]
    for code, constant in sorted(found, key=lambda f: f[0].number):
        yield constant.lower().replace("_", "-"), code


def find(text: str) -> list[tuple[str, Code]]:
    """The codes with the number or name *text*; a name can occur in several families."""
    wanted = text.strip().lower().replace("_", "-")
    return [(name, code) for name, code in declarations() if wanted in (name, code.number.lower())]
