"""What of the unpacked packages an image keeps."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from finback.component.closure import Closure
from finback.component.definition import Keep
from finback.component.unpack import Unpacked
from finback.ground.diagnostic import error
from finback.ground.platform import Platform
from finback.tree.entry import AnyEntry, Directory

# Nothing of this is read by a program at run time.
DROPPED = (
    "/usr/share/doc/**", "/usr/share/man/**", "/usr/share/info/**", "/usr/share/locale/**", "/usr/share/lintian/**",
    "/usr/share/bug/**", "/usr/share/doc-base/**", "/usr/share/menu/**", "/usr/share/applications/**",
    "/usr/share/bash-completion/**", "/usr/share/zsh/**", "/usr/share/fish/**", "/usr/share/initramfs-tools/**",
    "/usr/share/icons/**", "/usr/share/pixmaps/**", "/usr/share/gdb/**", "/usr/share/polkit-1/**",
    "/usr/lib/systemd/**",
    "/etc/init.d/**", "/etc/apparmor.d/**", "/etc/logrotate.d/**", "/var/cache/**", "/var/lib/dpkg/**",
)  # fmt: skip


@functools.lru_cache(maxsize=4096)
def pattern(glob: str) -> re.Pattern[str]:
    """A glob of absolute paths as a pattern: ``*`` and ``?`` within a step, ``**`` across steps, ``[…]`` sets."""
    out, at = [], 0
    while at < len(glob):
        if glob.startswith("**", at):
            out.append(".*")
            at += 2
        elif glob[at] == "*":
            out.append("[^/]*")
            at += 1
        elif glob[at] == "?":
            out.append("[^/]")
            at += 1
        elif glob[at] == "[" and "]" in glob[at:]:
            end = glob.index("]", at)
            out.append(glob[at : end + 1].replace("[!", "[^"))
            at = end + 1
        else:
            out.append(re.escape(glob[at]))
            at += 1
    return re.compile("".join(out) + r"\Z")


def select(unpacked: Unpacked, keep: Keep | None, platform: Platform) -> dict[str, AnyEntry]:
    """The entries to keep, with the directories that lead to them, by path.

    Raises:
        FinbackError: F143, a path that is to be kept is not there; F144, a library is missing.

    """
    tree = unpacked.tree
    wanted: set[str] = set()
    if keep is None or (keep.programs is None and keep.paths is None):
        wanted |= set(tree)
    else:
        for i, glob in enumerate(keep.paths or ()):
            wanted |= _matching(tree, glob, keep.origin.at("paths", i))
        programs: set[str] = set()
        for i, glob in enumerate(keep.programs or ()):
            programs |= _matching(tree, glob, keep.origin.at("programs", i))
        closure = Closure(unpacked, platform)
        wanted |= closure.of({*programs, *(p for p in wanted if closure.is_elf(p))})
    dropped = [pattern(g) for g in (*DROPPED, *((keep.drop or ()) if keep else ()))]
    explicit = set(keep.paths or ()) if keep else set()
    chosen = {
        p
        for p in wanted
        if not any(d.match("/" + p) for d in dropped) or any(pattern(g).match("/" + p) for g in explicit)
    }
    return {p: tree[p] for p in sorted(_with_parents(chosen, tree))}


def _matching(tree: dict[str, AnyEntry], glob: str, span: object) -> set[str]:
    found = {p for p in tree if pattern(glob).match("/" + p)}
    if not found:
        raise error(
            "F143",
            f"none of the packages has {glob}",
            span,  # type: ignore[arg-type]
            help="check the path, or the packages; paths below /bin and /lib are below /usr",
        )
    return found


def _with_parents(chosen: Iterable[str], tree: dict[str, AnyEntry]) -> set[str]:
    out: set[str] = set()
    for path in chosen:
        step = path
        while step and step not in out:
            if step in tree and (step == path or isinstance(tree[step], Directory)):
                out.add(step)
            step = step.rpartition("/")[0]
    return out
