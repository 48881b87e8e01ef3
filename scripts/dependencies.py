"""Write the page that lists the Python packages which finback is developed with, from `requirements.txt`.

Versions come from that file; licences come from the packages as they are installed in the environment
that runs this script. `--check` compares only.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution, requires
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "dependencies.md"
INTRODUCTION = """\
Made from `requirements.txt` by `scripts/dependencies.py`. That file locks every Python package of the development
environment by version and by the digest of each of its files; `make` installs from it, and `make update-dependencies`
renews it and this page. Why the direct dependencies were chosen: [decision 2](../decisions/0002-dependencies.md)."""


def locked() -> dict[str, str]:
    """The version of each package that `requirements.txt` names, by the package's name."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def run_time() -> set[str]:
    """The names of all packages that an installed finback without extras needs."""
    names: set[str] = set()
    waiting = ["finback"]
    while waiting:
        for line in requires(waiting.pop()) or ():
            name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")
            if "extra ==" not in line and name not in names:
                names.add(name)
                try:
                    requires(name)
                except PackageNotFoundError:
                    continue  # for another platform or another version of Python
                waiting.append(name)
    return names


def licence(found: Distribution) -> str:
    """The licence that a package's metadata declares: an expression, else classifiers, else the first line of text."""
    expression = found.metadata.get("License-Expression")
    if expression:
        return str(expression)
    prefix = "License :: OSI Approved :: "
    classifiers = [c.removeprefix(prefix) for c in found.metadata.get_all("Classifier") or () if c.startswith(prefix)]
    stated = (found.metadata.get("License") or "").strip().splitlines()
    return ", ".join(classifiers) or (stated[0] if stated else "not stated")


def page() -> str:
    """The whole page."""
    versions, needed = locked(), run_time()
    lines = ["# Python packages", "", INTRODUCTION, ""]
    for title, wanted in (("What finback needs to run", True), ("What else its development needs", False)):
        lines += [f"## {title}", "", "| package | version | licence |", "|---|---|---|"]
        for name, version in versions.items():
            if (name in needed) != wanted:
                continue
            try:
                stated = licence(distribution(name))
            except PackageNotFoundError:
                stated = "not installed on the platform that made this page"
            lines.append(f"| {name} | {version} | {stated} |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Write the page, or with `--check` report whether it is what would be written."""
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
