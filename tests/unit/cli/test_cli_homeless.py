"""Commands of a user who has no home directory: HOME is not set, and the user database has no entry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import pwd, sys
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
from finback.cli import main
main(sys.argv[1:])
"""
SPEC = "files: [{path: etc/x, contents: x}]\nparams: [{name: a, default: b}]\n"


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    gone = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "FINBACK_CACHE", "LINUXKIT_CACHE")
    env = {k: v for k, v in os.environ.items() if k not in gone and not k.lower().endswith("_proxy")}
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(
        command, cwd=folder, env={**env, **variables}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "x.yml").write_text(SPEC)
    return tmp_path


# Commands that need no place of the user's own.
FREE = (
    ("version",), ("schema",), ("component", "list"), ("component", "show", "nginx"), ("build", "--dry-run", "x.yml"),
    ("completion", "bash"), ("--help",), ("assembly", "list"), ("explain", "F500"),
)  # fmt: skip


@pytest.mark.parametrize("arguments", FREE, ids=" ".join)
def test_what_needs_no_place_works(arguments: tuple[str, ...], folder: Path) -> None:
    done = run(folder, *arguments)
    assert done.returncode == 0, done.stderr


# And those that need one, with what they are told to set.
NEEDY = {
    ("build", "-f", "tar", "--no-check", "x.yml"): "XDG_CACHE_HOME",
    ("lock", "x.yml"): "XDG_CACHE_HOME",
    ("plan", "x.yml"): "XDG_CACHE_HOME",
    ("tree", "x.yml"): "XDG_CACHE_HOME",
    ("cache", "ls"): "XDG_CACHE_HOME",
    ("cache", "verify"): "XDG_CACHE_HOME",
    ("ps",): "XDG_STATE_HOME",
    ("run", "x"): "",
    ("stop", "x"): "",
    ("status", "x"): "",
    ("logs", "x"): "",
    ("test", "x.yml"): "",
    ("login", "-u", "u", "--password-stdin", "localhost:9"): "",
    ("doctor",): "",
    ("sbom", "x.yml"): "",
    ("why", "x.yml", "/etc/x"): "",
    ("outdated", "x.yml"): "",
    ("pull", "localhost:9/x:1"): "",
    ("library", "status"): "",
}


@pytest.mark.parametrize("arguments", NEEDY, ids=" ".join)
def test_what_needs_a_place_says_what_to_set(arguments: tuple[str, ...], folder: Path) -> None:
    done = run(folder, *arguments)
    assert "Traceback" not in done.stderr
    # finback's own faults end with this status.
    assert done.returncode != 70, done.stderr
    if NEEDY[arguments]:
        assert done.returncode == 5
        assert "F500" in done.stderr
        assert NEEDY[arguments] in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("build", "-f", "tar", "--no-check", "x.yml"), ("lock", "x.yml"), ("plan", "x.yml"), ("tree", "x.yml")],
    ids=" ".join,
)
def test_with_a_place_for_the_store_all_works(arguments: tuple[str, ...], folder: Path) -> None:
    done = run(folder, "--cache", str(folder / "store"), *arguments)
    assert done.returncode == 0, done.stderr
    done = run(folder, *arguments, XDG_CACHE_HOME=str(folder / "cache"))
    assert done.returncode == 0, done.stderr
