"""Rules about the code itself."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import finback

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "finback").rglob("*.py"))
EDGE = {"subprocess", "socket", "urllib3", "http", "tempfile", "random", "time", "termios", "pty"}


def layer(path: Path) -> str:
    return path.relative_to(ROOT / "src" / "finback").parts[0]


def test_layers() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT / "src")))
def test_module(path: Path) -> None:
    text = path.read_text()
    module = ast.parse(text)
    assert ast.get_docstring(module), "a module opens with what it is for"
    assert path.stem not in ("utils", "helpers", "common", "base", "manager", "misc")
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 50, node.name
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        if layer(path) not in ("host", "cli", "testing"):
            assert not {n.split(".")[0] for n in names} & EDGE, names
        if layer(path) != "cli" and path.name != "__main__.py" and isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "sys.exit", "exit", "os._exit"), called
        if layer(path) == "cli" and path.stem != "_streams" and isinstance(node, ast.Call):
            # What is written past the streams lands in the middle of the progress on the same terminal.
            assert ast.unparse(node.func) not in ("print", "click.echo", "click.secho"), "write by finback.cli._streams"


def test_values_are_frozen_and_slotted() -> None:
    mutable = {"Workspace", "Unpacked", "_Line", "_Group"}
    # Parts of a syntax tree, which its builder completes, and the state of a search.
    mutable |= {"Scalar", "Sequence", "Mapping", "Node"}
    for found in pkgutil.walk_packages(finback.__path__, "finback."):
        if found.name == "finback.__main__":
            continue
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == found.name:
                assert "__slots__" in vars(value), value
                if value.__name__ not in mutable:
                    assert value.__dataclass_params__.frozen, value


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids="-".join)
def test_linter(command: list[str]) -> None:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.tools
@pytest.mark.skipif(not shutil.which("shellcheck"), reason="no shellcheck")
def test_shell_scripts() -> None:
    guest = ROOT / "components/init/rootfs"
    parts = sorted(
        p for p in (guest / "usr/lib/finback").rglob("*") if p.is_file() and not p.name.startswith("timeout-")
    )
    # What components bring as files; those in the text of a component.yml are short.
    tools = (p for p in (ROOT / "components").glob("*/rootfs/**/*") if p.is_file() and guest not in p.parents)
    shell = [
        p for p in sorted(tools) if p.read_bytes()[:64].startswith((b"#!/usr/bin/busybox sh", b"# shellcheck shell"))
    ]
    scripts = [guest / "init", *parts, *shell, ROOT / "scripts/setup-system"]
    done = subprocess.run(
        ["shellcheck", "-x", "-e", "SC1091,SC2154", *scripts], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
