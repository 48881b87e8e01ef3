"""Write the reference pages that are made from the model and the declarations; `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path

from finback.component.library import Library
from finback.spec.schema import schema

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"


def yaml_page() -> str:
    """Every key of the YAML file, from the schema."""
    whole = schema()
    lines = ["# The YAML file", "", "Made from the model by `scripts/reference.py`.", ""]
    parts = [("The file", whole), *whole["$defs"].items()]
    for name, part in parts:
        lines += [f"## {name}", "", part.get("description", ""), "", "| key | meaning |", "|---|---|"]
        required = part.get("required", ())
        for key, value in part["properties"].items():
            text = value.get("description", "").replace("|", "\\|")
            lines.append(f"| `{key}`{' (required)' if key in required else ''} | {text} |")
        lines.append("")
    return "\n".join(lines)


def components_page() -> str:
    """The library, from its definitions."""
    library = Library((ROOT / "components",))
    lines = ["# Components", "", "Made from `components/` by `scripts/reference.py`.", ""]
    lines += ["| component | category | what it is | answers |", "|---|---|---|---|"]
    for name in library.names():
        definition = library.get(name).definition
        answers = ", ".join(f"`{a}`" for a in definition.answers or ())
        lines.append(f"| `finback/{name}` | {definition.category} | {definition.summary} | {answers} |")
    return "\n".join([*lines, ""])


def main() -> int:
    """Write the pages, or compare them."""
    stale = []
    for name, text in (("yaml.md", yaml_page()), ("components.md", components_page())):
        path = REFERENCE / name
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    for name in stale:
        print(f"docs/reference/{name} is not up to date: run scripts/reference.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
