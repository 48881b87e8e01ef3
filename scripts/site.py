"""Hooks of MkDocs for the documentation's site: pages from outside `docs/`, and the order of the sections.

The files at the root of the repository and the assemblies' READMEs become pages as they are, so that nothing is written
twice. Links are rewritten to where these pages lie in the site.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
# Where the files of the root stand in the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changes.md",
}
SECTIONS = ["Tutorial", "How to", "Reference", "Explanation", "Decisions", "Assemblies", "Project"]


def outside() -> dict[str, str]:
    """Pages from outside `docs/`: their place in the repository, and their place in the site."""
    readmes = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("assemblies/*/README.md"))
    return PAGES | {name: name.replace("/README.md", ".md") for name in readmes}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside `docs/`."""
    for name, place in outside().items():
        files.append(File.generated(config, place, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Rewrite relative links, which are right in the repository, to the places in the site."""
    places = {place: name for name, place in outside().items()}
    source = ROOT / places.get(page.file.src_uri, f"docs/{page.file.src_uri}")

    def moved(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        if "://" in path or not path:
            return match[0]
        target = (source.parent / path).resolve().relative_to(ROOT).as_posix()
        if target == "docs/decisions":
            target = "docs/decisions/0001-record-decisions.md"
        place = outside().get(target, target.removeprefix("docs/"))
        up = "../" * page.file.src_uri.count("/")
        return f"]({up}{place}{anchor})"

    return re.sub(r"\]\(([^)#\s]*)(#[^)\s]*)?\)", moved, markdown)


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:  # noqa: ARG001
    """Put the sections into the order in which people need them."""
    for item in nav.items:
        if isinstance(item, Section):
            item.title = item.title.replace("-", " ").capitalize()
    nav.items.sort(key=lambda item: SECTIONS.index(item.title) if isinstance(item, Section) else -1)
    return nav
