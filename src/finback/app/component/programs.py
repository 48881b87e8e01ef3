"""The programs of a Debian package that a component can be made of: those that have in it all that they need to start.

Programs for a processor come first. A package that only names others, such as apache2 or mariadb-server, stands for
those of the same source that it depends on. Scripts are left out where there is anything else, since each brings a
whole interpreter; where there are only scripts, they come with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finback.component.closure import Closure
from finback.component.unpack import Unpacked
from finback.ground.diagnostic import FinbackError, error
from finback.tree.entry import File

_PLACE = re.compile(r"usr/s?bin/[^/]+")
_UNIT = re.compile(r"usr/lib/systemd/system/[^/]+\.service")
_STARTED = re.compile(r"^ExecStart=[-@:+!|]*(/\S+)", re.MULTILINE)
HEAD = 256
UNIT_SIZE = 1 << 16
SHELLS = frozenset({"sh", "dash"})
BUSYBOX = "/usr/bin/busybox"
# Packages with interpreters that Debian takes for granted: nothing depends on them. For sh there is busybox.
ESSENTIAL = {"sh": "busybox-static", "dash": "busybox-static", "bash": "bash", "perl": "perl-base", "awk": "mawk"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a component is made of."""

    programs: tuple[str, ...]
    first: str
    """The one that is run."""
    packages: tuple[str, ...]
    shell: bool = False
    """Whether /bin/sh has to be busybox."""
    whole: bool = False
    """Whether everything of the packages has to stay: nobody sees from outside what scripts of Python or Perl load."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Programs that the package has besides, and why they are not among them."""


def interpreters(package: str, unpacked: Unpacked, closure: Closure) -> frozenset[str]:
    """The packages that scripts of *package* need besides, when it has nothing but scripts."""
    own = _offered(package, unpacked)
    scripts = {p: _interpreter(unpacked, p) for p in own if not _is_program(p, closure)}
    if not scripts or len(scripts) < len(own):
        return frozenset()
    return frozenset(ESSENTIAL[name] for name in scripts.values() if name in ESSENTIAL)


def choose(package: str, extra: frozenset[str], unpacked: Unpacked, closure: Closure) -> Choice:
    """The programs of *package*; *extra* packages came with it for its scripts.

    Raises:
        FinbackError: F149, it has no programs, or none that can start with what its packages have.

    """
    offered = _offered(package, unpacked)
    shell = "busybox-static" in extra
    fit: list[str] = []
    scripts: list[str] = []
    left_out: list[tuple[str, str]] = []
    for path in offered:
        if _is_program(path, closure):
            trouble = _trouble(path, closure)
            if trouble:
                left_out.append((path, trouble))
            else:
                fit.append(path)
            continue
        name = _interpreter(unpacked, path)
        trouble = "" if shell and name in SHELLS else _trouble(path, closure)
        if name and not trouble:
            scripts.append(path)
        left_out.append((path, trouble or f"is a script for {name}" if name else trouble or "is not a program"))
    meant = {f"/usr/{folder}/{name}" for name in _namesakes(package) for folder in ("bin", "sbin")}
    meant |= set(_services(package, unpacked))
    is_script = not meant & {f"/{p}" for p in fit} and bool(meant & {f"/{p}" for p in scripts})
    if scripts and (is_script or not fit):
        fit, left_out = scripts, [(p, why) for p, why in left_out if p not in scripts]
    if not fit:
        raise _nothing(package, left_out)
    programs = [f"/{p}" for p in fit]
    needed = shell and any(_interpreter(unpacked, p) in SHELLS for p in fit)
    return Choice(
        programs=(*programs, BUSYBOX) if needed else tuple(programs),
        first=_first(programs, package, _services(package, unpacked)),
        packages=(package, *sorted(extra)),
        shell=needed,
        whole=any(_interpreter(unpacked, p) not in {*SHELLS, "bash", ""} for p in fit),
        left_out=tuple((f"/{p}", why) for p, why in left_out),
    )


def _offered(package: str, unpacked: Unpacked) -> list[str]:
    """The programs of the package, or where it has none for a processor, of those of its source that came with it."""
    own = list(_programs({package}, unpacked))
    namesakes = _namesakes(package)
    programs = [p for p in own if _head(unpacked, p)[:2] not in (b"#!", b"")]
    if any(p.rpartition("/")[2] in namesakes for p in programs):
        return own
    source = _source(package, unpacked)
    related = {name for name in unpacked.control if name != package and _source(name, unpacked) == source}
    # Libraries of the same source have tools of their own, which nobody asked for.
    stem = re.split(r"[-0-9]", package)[0]
    others = [p for p in _programs(related, unpacked) if unpacked.owners[p].startswith(stem)]
    found = not programs or any(p.rpartition("/")[2] in namesakes for p in others)
    return sorted({*own, *others}) if found else own


def _programs(packages: set[str], unpacked: Unpacked) -> Iterator[str]:
    return (p for p in sorted(unpacked.tree) if _PLACE.fullmatch(p) and unpacked.owners.get(p) in packages)


def _source(package: str, unpacked: Unpacked) -> str:
    return unpacked.control.get(package, {}).get("Source", package).partition(" ")[0]


def _head(unpacked: Unpacked, path: str) -> bytes:
    entry = unpacked.tree[path]
    return unpacked.data(entry, HEAD) if isinstance(entry, File) else b""


def _is_program(path: str, closure: Closure) -> bool:
    """Whether it is, or leads to, a program for a processor."""
    final, _ = closure.resolve(path)
    return bool(final) and closure.is_elf(final)


def _interpreter(unpacked: Unpacked, path: str) -> str:
    """The name of a script's interpreter; "" for anything else."""
    head = _head(unpacked, path)
    words = head.split(b"\n", 1)[0][2:].decode("utf-8", "replace").split() if head[:2] == b"#!" else []
    if words and words[0].endswith("/env"):
        words = [w for w in words[1:] if not w.startswith("-") and "=" not in w]
    return words[0].rpartition("/")[2] if words else ""


def _trouble(path: str, closure: Closure) -> str:
    """What it lacks to start; "" when nothing."""
    final, _ = closure.resolve(path)
    if not final:
        return "leads to a file that none of its packages has"
    try:
        closure.of({path})
    except FinbackError as failure:
        found = re.search(r"needs (\S+),", failure.diagnostics[0].message)
        return f"needs {found[1]}, which none of its packages has" if found else failure.diagnostics[0].message
    return ""


def _stem(package: str) -> str:
    return re.sub(r"(-(server|bin|core|common|daemon|base|client|full|light|nox|cli))+$", "", package)


def _namesakes(package: str) -> tuple[str, ...]:
    """The names that the program of a package has which it is for, the likeliest first."""
    stem = _stem(package)
    plain = stem.rstrip("0123456789.-")
    kinds = [f"{stem}d", stem] if package.endswith(("-server", "-daemon")) else [stem, f"{stem}d"]
    return tuple(
        dict.fromkeys([package, *kinds, f"{stem}-server", plain, f"{plain}d", plain.removeprefix("open") + "d"])
    )


def _services(package: str, unpacked: Unpacked) -> list[str]:
    """The programs that the package's units of systemd start. Source: systemd.service(5), `ExecStart`."""
    found: list[str] = []
    for path, entry in sorted(unpacked.tree.items()):
        if _UNIT.fullmatch(path) and unpacked.owners.get(path) == package and isinstance(entry, File):
            found += _STARTED.findall(unpacked.data(entry, UNIT_SIZE).decode("utf-8", "replace"))
    return found


def _first(programs: Iterable[str], package: str, services: Iterable[str]) -> str:
    """The program that is most likely the one that the package is for: it has its name, or is started as a service."""
    names = list(programs)
    for name in names:
        if name.rpartition("/")[2] == package:
            return name
    for service in services:
        if service in names:
            return service
    for wanted in _namesakes(package):
        for name in names:
            if name.rpartition("/")[2] == wanted:
                return name
    return next((n for n in names if n.rpartition("/")[2].startswith(_stem(package))), names[0])


def _nothing(package: str, left_out: list[tuple[str, str]]) -> FinbackError:
    if not left_out:
        return error("F149", f"{package} has no programs", help="name the package that has them")
    shown = "; ".join(f"/{p} {why}" for p, why in left_out[:10])
    return error(
        "F149",
        f"{package} has no program that its packages let start: {shown}",
        help="begin with `finback component new NAME`, and name the packages that they need under `packages`",
    )
