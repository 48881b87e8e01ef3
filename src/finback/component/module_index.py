"""The index of kernel modules that modprobe reads: what each depends on and which devices ask for it.

Source: depmod(8), modules.dep(5); the `.modinfo` section of a module (kernel's Documentation/kbuild/modules.rst).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAX_SECTIONS = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A kernel module."""

    path: str
    """Below the version's folder, uncompressed: ``kernel/fs/ext4/ext4.ko``."""
    name: str
    """With underscores, as the kernel says it."""
    depends: tuple[str, ...]
    aliases: tuple[str, ...]
    before: tuple[str, ...]
    """Modules that a soft dependency wants loaded first."""
    softdeps: tuple[str, ...] = ()


def module_name(path: str) -> str:
    """The kernel's name of the module at *path*: ``nf-tables.ko.xz`` is ``nf_tables``."""
    return path.rsplit("/", 1)[-1].split(".ko", 1)[0].replace("-", "_")


def describe(path: str, data: bytes) -> Module:
    """What the module *data* says of itself.

    Raises:
        ValueError: it is no module.

    """
    info: dict[str, list[str]] = {}
    for text in _modinfo(data).split(b"\0"):
        key, equals, value = text.decode("utf-8", "replace").partition("=")
        if equals:
            info.setdefault(key, []).append(value)
    soft = info.get("softdep", [])
    before: list[str] = []
    for line in soft:
        words = line.replace("pre:", " pre: ").replace("post:", " post: ").split()
        take = False
        for word in words:
            if word in ("pre:", "post:"):
                take = word == "pre:"
            elif take:
                before.append(word.replace("-", "_"))
    return Module(
        path=path,
        name=module_name(path),
        depends=tuple(d.replace("-", "_") for d in ",".join(info.get("depends", [])).split(",") if d),
        aliases=tuple(info.get("alias", ())),
        before=tuple(before),
        softdeps=tuple(soft),
    )


def _modinfo(data: bytes) -> bytes:
    if data[:4] != b"\x7fELF" or len(data) < 64 or data[4] != 2:
        raise ValueError("not a 64-bit ELF file")
    order = "<" if data[5] == 1 else ">"
    try:
        (table,) = struct.unpack_from(order + "Q", data, 40)
        size, count, names = struct.unpack_from(order + "HHH", data, 58)
        sections = [
            struct.unpack_from(order + "IIQQQQ", data, table + i * size) for i in range(min(count, MAX_SECTIONS))
        ]
        strings = sections[names][4]
        for name, _, _, _, offset, length in sections:
            start = strings + name
            if data[start : start + 9] == b".modinfo\0":
                return data[offset : offset + length]
    except (struct.error, IndexError, OverflowError) as failure:
        raise ValueError(f"malformed module: {failure}") from None
    raise ValueError("a module without information about itself")


def closure(wanted: Iterable[str], modules: Mapping[str, Module], built_in: frozenset[str]) -> tuple[Module, ...]:
    """The modules *wanted* and all that they depend on, sorted by path.

    Raises:
        KeyError: a module that something depends on is neither there nor built in; its name.

    """
    out: dict[str, Module] = {}
    todo = list(wanted)
    while todo:
        name = todo.pop()
        if name in out or (name not in modules and name in built_in):
            continue
        module = modules[name]
        out[name] = module
        todo += module.depends
        # Soft dependencies may be absent.
        todo += [n for n in module.before if n in modules]
    return tuple(sorted(out.values(), key=lambda m: m.path))


def files(modules: Iterable[Module]) -> dict[str, bytes]:
    """modules.dep, modules.alias and modules.softdep for *modules*."""
    chosen = {m.name: m for m in modules}
    dep, alias, soft = [], [], []
    for module in chosen.values():
        # modprobe loads the list from its end, so that what is depended on most stands last.
        needs = _ordered(module, chosen)
        dep.append(f"{module.path}:{''.join(' ' + chosen[n].path for n in needs)}\n")
        alias += [f"alias {a} {module.name}\n" for a in module.aliases]
        soft += [f"softdep {module.name} {s}\n" for s in module.softdeps]
    return {
        "modules.dep": "".join(dep).encode(),
        "modules.alias": "".join(alias).encode(),
        "modules.softdep": "".join(soft).encode(),
    }


def _ordered(module: Module, chosen: Mapping[str, Module]) -> list[str]:
    """What *module* depends on, each before what it itself depends on. Of a circle every module is there once."""
    seen: set[str] = set()
    done: list[str] = []
    # Depth first, from the last dependency to the first; a name comes again when all that it needs is done.
    left = [(name, False) for name in module.depends]
    while left:
        name, is_done = left.pop()
        if is_done:
            done.append(name)
        elif name in chosen and name not in seen:
            seen.add(name)
            left.append((name, True))
            left += [(needed, False) for needed in chosen[name].depends]
    return done[::-1]
