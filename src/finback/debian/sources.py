"""APT's source lists, in both forms: which mirrors this machine uses.

Subset: addresses with http and https; what else APT can fetch from (files, mirror lists) is passed over.
Specification: sources.list(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finback.debian import control

_CODENAMES = "(?:stable|oldstable|testing|unstable|sid|buster|bullseye|bookworm|trixie|forky|duke)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """URLs of Debian's main and security archives; "" where the lists name none."""

    debian: str = ""
    security: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    """One archive's suite."""

    uri: str
    suite: str
    components: tuple[str, ...]


def parse(texts: Iterable[tuple[str, str]]) -> Mirrors:
    """Find Debian's archives in source lists, each a pair of file suffix (``.list`` or ``.sources``) and text.

    The security archive is told by its suites, which end in ``-security``. Other vendors' archives use Debian's suite
    names too: one whose path ends in ``/debian`` goes before all others, and the first counts among equals.
    """
    main: list[str] = []
    security: list[str] = []
    for suffix, text in texts:
        for line in _deb822(text) if suffix == ".sources" else _one_line(text):
            if not line.uri.startswith(("http://", "https://")) or "main" not in line.components:
                continue
            if re.fullmatch(rf"{_CODENAMES}-security|{_CODENAMES}/updates", line.suite):
                security.append(line.uri.rstrip("/"))
            elif re.fullmatch(rf"{_CODENAMES}(-updates)?", line.suite):
                main.append(line.uri.rstrip("/"))
    return Mirrors(
        debian=next((u for u in main if u.endswith("/debian")), main[0] if main else ""),
        security=security[0] if security else "",
    )


def _one_line(text: str) -> Iterator[_Line]:
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)([^#]*)", line)
        if found:
            yield _Line(found[1], found[2], tuple(found[3].split()))


def _deb822(text: str) -> Iterator[_Line]:
    try:
        for paragraph in control.paragraphs(text.splitlines()):
            fields = {name.lower(): value for name, value in paragraph.items()}
            if fields.get("enabled", "yes").lower() in ("no", "false", "0", "without", "off", "disable"):
                continue
            if "deb" not in fields.get("types", "").split():
                continue
            for uri in fields.get("uris", "").split():
                for suite in fields.get("suites", "").split():
                    yield _Line(uri, suite, tuple(fields.get("components", "").split()))
    except ValueError:
        # A list that APT itself would reject names no mirror for us.
        return
