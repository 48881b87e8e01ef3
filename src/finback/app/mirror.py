"""The Debian mirror that this machine's APT uses."""

from __future__ import annotations

from pathlib import Path

from finback.debian.sources import Mirrors, parse
from finback.host import file

FOLDER = Path("/etc/apt")
LIMIT = 1 << 20


def mirrors(folder: Path = FOLDER) -> Mirrors:
    """The mirrors that the source lists below *folder* name; none where there are no lists."""
    lists = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    chosen = [p for p in lists if p.suffix in (".list", ".sources") and p.is_file()]
    return parse([(p.suffix, file.read(p, limit=LIMIT).decode("utf-8", "replace")) for p in chosen])
