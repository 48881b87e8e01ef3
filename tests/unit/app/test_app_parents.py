"""What `extends` finds, and what the lock says of it, on the command line as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from finback.ground.digest import Digest
from finback.testing.registry import FakeRegistry

BASE = "init: [finback/init]\nservices: [{name: web, image: 'finback/nginx'}]\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CACHE", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def finback(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "finback", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_paths_are_relative_to_the_file_that_names_them(place: Path) -> None:
    (place / "common").mkdir()
    (place / "common/base.yml").write_text("extends: lower.yml\n")
    (place / "common/lower.yml").write_text(BASE)
    (place / "web.yml").write_text("extends: common/base.yml\nservices.remove: [web]\n")
    done = finback("build", "--dry-run", "web.yml")
    assert done.returncode == 0, done.stderr
    assert "services: []" in done.stdout


def test_an_assembly_is_extended_and_explained(place: Path) -> None:
    (place / "mine.yml").write_text("extends: finback/redis-os\nservices.merge: [{name: redis, restart: on-failure}]\n")
    done = finback("plan", "--no-resolve", "--explain", "--json", "mine.yml")
    assert done.returncode == 0, done.stderr
    rows = {r["key"]: r for r in json.loads(done.stdout)}
    assert rows["services.redis.restart"]["from"] == "mine.yml:2"
    assert "redis-os.yml:" in rows["services.redis.image"]["from"]


def test_an_artefact_is_pinned_by_the_lock(place: Path) -> None:
    (place / "base.yml").write_text(BASE)
    with FakeRegistry() as registry:
        insecure = ("--insecure", f"http://{registry.host}")
        reference = f"{registry.host}/team/base:1"
        assert finback(*insecure, "push", "registry", reference, "base.yml").returncode == 0
        (place / "web.yml").write_text(f"extends: {reference}\ninit.add: [x]\n")
        done = finback(*insecure, "build", "--dry-run", "web.yml")
        assert done.returncode == 0, done.stderr
        assert "finback/nginx" in done.stdout
        # Another one under the same tag is not taken while the lock says otherwise.
        first = registry.repository("team/base").tags["1"]
        (place / "base.yml").write_text(BASE.replace("nginx", "redis"))
        assert finback(*insecure, "push", "registry", reference, "base.yml").returncode == 0
        assert "finback/redis" in finback(*insecure, "build", "--dry-run", "web.yml").stdout
        lock = {"version": 1, "extends": {reference: first}, "platforms": {}}
        (place / "web.lock").write_text(json.dumps(lock))
        assert "finback/nginx" in finback(*insecure, "build", "--dry-run", "--frozen", "web.yml").stdout
        (place / "host.yml").write_text("files: [{path: etc/x, source: ~/.ssh/id_rsa}]\nextends: finback/talk\n")
        assert finback(*insecure, "push", "registry", reference, "host.yml").returncode == 0
        (place / "web.lock").unlink()
        done = finback(*insecure, "plan", "--no-resolve", "web.yml")
    assert done.returncode == 1
    assert "F093" in done.stderr
    # In the store now, with the lock to say which.
    (place / "web.lock").write_text(json.dumps(lock))
    assert "finback/nginx" in finback("build", "--dry-run", "web.yml").stdout


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["a.txt"], "has no YAML file"),
        (["a.yml", "b.yaml"], "has 2 YAML files"),
    ],
)
def test_an_artefact_has_one_yaml_file(place: Path, files: list[str], said: str) -> None:
    for name in files:
        (place / name).write_text(BASE)
    with FakeRegistry() as registry:
        insecure = ("--insecure", f"http://{registry.host}")
        assert finback(*insecure, "push", "registry", f"{registry.host}/a:1", *files).returncode == 0
        (place / "web.yml").write_text(f"extends: {registry.host}/a:1\n")
        done = finback(*insecure, "build", "--dry-run", "web.yml")
    assert done.returncode == 1
    assert said in done.stderr
    assert "web.yml:1:10" in done.stderr


def test_frozen_refuses_what_has_changed(place: Path) -> None:
    (place / "base.yml").write_text(BASE)
    (place / "web.yml").write_text("extends: base.yml\n")
    digest = Digest.of(BASE.encode())
    for extends, code in (({"base.yml": str(digest)}, ""), ({"base.yml": f"sha256:{'0' * 64}"}, "F603"), ({}, "F602")):
        (place / "web.lock").write_text(json.dumps({"version": 1, "extends": extends, "platforms": {}}))
        done = finback("build", "--dry-run", "--frozen", "web.yml")
        assert done.returncode == bool(code), done.stderr
        assert code in done.stderr
    assert finback("build", "--dry-run", "web.yml").returncode == 0
