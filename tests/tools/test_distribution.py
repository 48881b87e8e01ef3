"""The project as a Python distribution: a wheel that is the same each time, from dependencies locked by digest."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = (ROOT / "requirements.txt").read_text(encoding="utf-8")


def test_every_requirement_is_pinned_by_digest() -> None:
    entries = re.split(r"\n(?=\S)", REQUIREMENTS.strip())
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in REQUIREMENTS, "the index is a matter of the machine that installs"


def test_every_declared_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(line for lines in project["optional-dependencies"].values() for line in lines),
    ]
    names = {re.split(r"[^A-Za-z0-9.-]", line, maxsplit=1)[0].lower().replace(".", "-") for line in declared}
    locked = set(re.findall(r"^([a-z0-9-]+)==", REQUIREMENTS, re.MULTILINE))
    assert names - locked == {"finback"}


def test_the_page_of_dependencies_lists_the_locked_versions() -> None:
    page = (ROOT / "docs/reference/dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z0-9-]+) \| (\S+) \|", page, re.MULTILINE)
    listed = {name: version for name, version in rows if name != "package"}
    assert listed == dict(re.findall(r"^([a-z0-9-]+)==(\S+)", REQUIREMENTS, re.MULTILINE))


@pytest.mark.tools
def test_two_builds_of_the_wheel_are_equal(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("needs a Git checkout, which names the files that belong to the project")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wheels = []
    for folder, mode in (("one", 0o644), ("other", 0o600)):
        for name in filter(None, listed.split("\0")):
            if not (ROOT / name).is_file():
                continue
            copy = tmp_path / folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy)
            copy.chmod(mode)
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / f"{folder}-wheel")]
        env = {**os.environ, "TZ": "Asia/Tokyo" if folder == "other" else "UTC"}
        subprocess.run(build, cwd=tmp_path / folder, env=env, check=True, capture_output=True)
        (wheel,) = (tmp_path / f"{folder}-wheel").iterdir()
        wheels.append(wheel)
    with zipfile.ZipFile(wheels[0]) as archive:
        names = archive.namelist()
    assert "finback/data/components/nginx/component.yml" in names
    assert "finback/data/assemblies/minimal/minimal.yml" in names
    assert wheels[0].name == wheels[1].name
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
