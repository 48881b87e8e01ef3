"""What of the unpacked packages an image keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from finback.component.closure import Closure
from finback.component.definition import Keep
from finback.component.glob import parted, pattern
from finback.component.merged_usr import moved
from finback.component.unpack import Unpacked
from finback.debian.relation import applies
from finback.ground.diagnostic import error
from finback.ground.platform import Platform
from finback.ground.source import Span
from finback.tree.entry import AnyEntry, Directory

# Nothing of this is read by a program at run time. Of the documentation, copyright files stay: see `licences`.
DROPPED = (
    "/usr/share/doc/**", "/usr/share/man/**", "/usr/share/info/**", "/usr/share/locale/**", "/usr/share/lintian/**",
    "/usr/share/bug/**", "/usr/share/doc-base/**", "/usr/share/menu/**", "/usr/share/applications/**",
    "/usr/share/bash-completion/**", "/usr/share/zsh/**", "/usr/share/fish/**", "/usr/share/initramfs-tools/**",
    "/usr/share/icons/**", "/usr/share/pixmaps/**", "/usr/share/gdb/**", "/usr/share/polkit-1/**",
    "/usr/lib/systemd/**",
    "/etc/init.d/**", "/etc/apparmor.d/**", "/etc/logrotate.d/**", "/var/cache/**", "/var/lib/dpkg/**",
)  # fmt: skip


def matching(tree: Mapping[str, AnyEntry], glob: str, span: Span | None) -> set[str]:
    """The paths that fit *glob*.

    Raises:
        FinbackError: F143, there is none.

    """
    found = {p for p in tree if pattern(glob).match("/" + p)}
    if not found:
        raise error(
            "F143",
            f"none of the packages has {glob}",
            span,
            help="check the path, or the packages; paths below /bin and /lib are below /usr",
        )
    return found


def select(
    unpacked: Unpacked,
    keep: Keep | None,
    platform: Platform,
    contributors: Iterable[str] = (),
    provided: frozenset[str] = frozenset(),
) -> dict[str, AnyEntry]:
    """The entries to keep, with the directories that lead to them, by path.

    *contributors* are packages of which something is in the image by another way, *provided* are paths that the
    definition itself brings.

    Raises:
        FinbackError: F143, a path that is to be kept is not there; F144, a library is missing.

    """
    tree = unpacked.tree
    keep = keep or Keep()
    named = {f: _meant(getattr(keep, f), platform) for f in ("programs", "paths", "data", "drop")}
    wanted: set[str] = set()
    for i, glob in named["paths"]:
        wanted |= matching(tree, glob, keep.origin.at("paths", i))
    data: set[str] = set()
    for i, glob in named["data"]:
        data |= matching(tree, glob, keep.origin.at("data", i))
    closure = Closure(unpacked, platform, provided)
    # Who names a link wants what it leads to; those that a pattern finds may lead to what is left out on purpose.
    for path in {moved(p.strip("/")) for _, p in named["paths"] + named["data"]} & (wanted | data):
        target, links = closure.resolve(path)
        (wanted if path in wanted else data).update(links, [target] if target else ())
    explicit = frozenset(wanted | data)
    if keep.programs is None and keep.paths is None and keep.data is None:
        wanted |= set(tree)
    else:
        programs: set[str] = set()
        for i, glob in named["programs"]:
            programs |= matching(tree, glob, keep.origin.at("programs", i))
        wanted |= data | closure.of({*programs, *(p for p in wanted if closure.is_elf(p))})
    chosen = {p for p in wanted if p in explicit or not _fits(p, DROPPED)}
    owners = {unpacked.owners[p] for p in chosen if p in unpacked.owners}
    chosen |= licences(unpacked, owners.union(contributors), platform)
    dropped = tuple(glob for _, glob in named["drop"])
    return {p: tree[p] for p in sorted(_with_parents((p for p in chosen if not _fits(p, dropped)), tree))}


def _meant(texts: Iterable[str] | None, platform: Platform) -> list[tuple[int, str]]:
    """The globs that *platform* is meant by, and where in the list they stand."""
    found = ((i, *parted(text)) for i, text in enumerate(texts or ()))
    return [(i, glob) for i, glob, only in found if applies(only, platform.names.debian)]


def licences(unpacked: Unpacked, packages: Iterable[str], platform: Platform) -> set[str]:
    """The copyright files of *packages*, which must go wherever their files go.

    Debian Policy 12.5: `/usr/share/doc/PACKAGE/copyright`, where the folder may be a link to that of another package
    of the same source.
    """
    out: set[str] = set()
    closure = Closure(unpacked, platform)
    for package in packages:
        path, links = closure.resolve(f"usr/share/doc/{package}/copyright")
        if path:
            out |= {path, *links}
    return out


def _fits(path: str, globs: Iterable[str]) -> bool:
    return any(pattern(g).match("/" + path) for g in globs)


def _with_parents(chosen: Iterable[str], tree: dict[str, AnyEntry]) -> set[str]:
    out: set[str] = set()
    for path in chosen:
        step = path
        while step and step not in out:
            if step in tree and (step == path or isinstance(tree[step], Directory)):
                out.add(step)
            step = step.rpartition("/")[0]
    return out
