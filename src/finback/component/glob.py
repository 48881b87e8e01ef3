"""Patterns of paths, as definitions write them."""

from __future__ import annotations

import functools
import re

_RESTRICTED = re.compile(r"(.*\S) +\[([!a-z0-9 -]+)\]")


def parted(text: str) -> tuple[str, str]:
    """The glob of ``GLOB`` or ``GLOB [amd64 arm64]``, and to which architectures it is restricted: ``""``, to none."""
    found = _RESTRICTED.fullmatch(text)
    return (found[1], found[2]) if found else (text, "")


@functools.lru_cache(maxsize=4096)
def pattern(glob: str) -> re.Pattern[str]:
    """A glob of absolute paths as a pattern: ``*`` and ``?`` within a step, ``[…]`` sets, ``**`` across steps.

    ``/a/**/b`` is also ``/a/b``; ``/a/**`` is everything below ``/a``.

    Raises:
        ValueError: a set is no set.

    """
    out, at = [], 0
    while at < len(glob):
        if glob.startswith("**/", at) and glob[at - 1 : at] in ("", "/"):
            out.append("(?:.*/)?")
            at += 3
        elif glob.startswith("**", at):
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
            out.append(glob[at : end + 1].replace("\\", "\\\\").replace("[!", "[^"))
            at = end + 1
        else:
            out.append(re.escape(glob[at]))
            at += 1
    try:
        return re.compile("".join(out) + r"\Z", re.DOTALL)
    except re.error as failure:
        raise ValueError(f"{glob!r} is not a pattern: {failure}") from None
