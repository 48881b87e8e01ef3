"""Every example in the documents is run: YAML is loaded, commands are executed in their order on the page's files."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from finback.app.parents import Parents
from finback.app.settings import Settings
from finback.app.workspace import Workspace
from finback.component.definition import Definition
from finback.ground.event import silent
from finback.ground.platform import Platform
from finback.ground.source import Source
from finback.spec.decode import load
from finback.spec.load import load_files

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")])
# What sets a checkout up is run by whoever runs the tests.
SETUP = ("make ", "git ", "python3 -m venv", "pip ")
SECONDS = 300.0
# Values of params, for pages with files that have some without a default.
VALUES = {"docs/how-to/extend.md": ("hostname=x",)}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(page, text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in found]


def all_blocks(*languages: str) -> list[Block]:
    return [b for page in PAGES for b in blocks(page) if b.language in languages]


def commands(page: Path) -> list[str]:
    """The lines after `$ `, without comments; a backslash continues a line."""
    text = "".join(b.text for b in blocks(page) if b.language == "console").replace("\\\n", " ")
    lines = [line[2:].partition("  #")[0].strip() for line in text.splitlines() if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith(SETUP)]


def files(page: Path) -> dict[str, str]:
    """The YAML blocks that begin with a comment that is a file's name."""
    named = ((re.match(r"# (\S+\.ya?ml)\n", b.text), b.text) for b in blocks(page) if b.language == "yaml")
    return {match[1]: text for match, text in named if match}


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=str)
def test_yaml_is_a_spec_a_component_or_a_configuration(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(str(block), block.text)
    if re.search(r"^(summary|category):", block.text, re.MULTILINE):
        load(Definition, source)
    elif re.match(r"registries:", block.text):
        load(Settings, source)
    elif re.search("^extends:", block.text, re.MULTILINE):
        monkeypatch.chdir(tmp_path)
        for name, text in files(block.page).items():
            Path(name).write_text(text)
        fetch = Parents(Workspace(emit=silent), Platform(), {}, Path(), frozen=False)
        load_files((Source("<stdin>", block.text),), fetch)
    else:
        load_files((source,), given=VALUES.get(re.sub(r":\d+$", "", str(block)), ()))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.boot
@pytest.mark.archive
@pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="no QEMU")
@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_work_in_their_order(page: Path, tmp_path: Path) -> None:
    for name, text in files(page).items():
        (tmp_path / name).write_text(text)
    for example in (ROOT / "tests/fixtures/linuxkit").glob("*.yml"):
        if any(example.name in command for command in commands(page)):
            shutil.copy(example, tmp_path)
    port = str(free_port())
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    for command in commands(page):
        limit = time.monotonic() + SECONDS
        while True:
            done = subprocess.run(
                command.replace("8080", port), shell=True, cwd=tmp_path, env=env, capture_output=True, text=True,
                timeout=SECONDS, check=False,
            )  # fmt: skip
            # A machine that was just started needs a moment before it answers.
            if done.returncode == 0 or not command.startswith("curl") or time.monotonic() > limit:
                break
            time.sleep(0.5)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_the_error_in_the_readme_is_what_finback_says(tmp_path: Path) -> None:
    page = ROOT / "README.md"
    (said,) = (b.text for b in blocks(page) if b.language == "text")
    wrong = re.search(r"^\d+ \|(.*)$", said, re.MULTILINE)
    assert wrong
    (name, text), *_ = files(page).items()
    # The excerpt shows the line as it is in the file, after " | ".
    (tmp_path / name).write_text(f"{text}{wrong[1][1:]}\n")
    done = subprocess.run(
        [sys.executable, "-m", "finback", "build", name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert said.strip() in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "reference.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
