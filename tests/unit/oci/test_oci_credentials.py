"""The file that Docker, Podman and skopeo share, and helpers."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest

from finback.ground.diagnostic import FinbackError
from finback.oci.credentials import DOCKER_KEY, Credential, Credentials

HELPER = """#!/bin/sh
# Keeps what it is given in a file beside itself.
kept=${0%/*}/kept
case $1 in
store) cat >"$kept" ;;
get) read -r server
    [ -e "$kept" ] || { echo "credentials not found in native keychain"; exit 1; }
    cat "$kept" ;;
erase) rm "$kept" ;;
broken) exit 3 ;;
esac
"""


def auth(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def write(path: Path, value: object) -> Credentials:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return Credentials(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


@pytest.mark.parametrize(
    ("key", "registry", "repository"),
    [
        ("a.example", "a.example", "x/y"),
        ("https://a.example", "a.example", ""),
        ("https://a.example/v1/", "a.example", ""),
        ("a.example:5000", "a.example:5000", ""),
        ("a.example/x", "a.example", "x/y"),
        (DOCKER_KEY, "docker.io", "library/nginx"),
        ("docker.io", "docker.io", ""),
        ("registry-1.docker.io", "docker.io", ""),
    ],
)
def test_a_registry_is_found_however_its_key_is_written(path: Path, key: str, registry: str, repository: str) -> None:
    known = write(path, {"auths": {key: {"auth": auth("me:a:b")}}})
    assert known.find(registry, repository) == Credential(username="me", password="a:b")
    assert known.find("other.example", repository) is None


def test_the_closest_key_wins(path: Path) -> None:
    auths = {k: {"auth": auth(f"{k}:p")} for k in ("a.example", "a.example/x", "a.example/x/y")}
    known = write(path, {"auths": auths})
    found = known.find("a.example", "x/y")
    assert found is not None
    assert found.username == "a.example/x/y"


def test_tokens_and_secrets_are_not_shown(path: Path) -> None:
    entry = {"auth": auth("me:pass0"), "identitytoken": "identity0", "registrytoken": "registry0"}
    found = write(path, {"auths": {"a.example": entry}}).find("a.example")
    assert found is not None
    assert (found.identity_token, found.registry_token) == ("identity0", "registry0")
    assert not any(s in repr(found) for s in ("pass0", "identity0", "registry0"))


@pytest.mark.parametrize(
    "value",
    [
        "nonsense",
        "[]",
        {"auths": []},
        {"auths": {"a.example": {"auth": "$$$s3cr3t"}}},
        {"auths": {"a.example": {"auth": auth("nocolon")}}},
        {"credsStore": "../../evil"},
        {"credsStore": 3},
        {"credHelpers": {"a.example": "a b"}},
    ],
)
def test_a_file_that_is_wrong_is_said_without_what_is_in_it(path: Path, value: object) -> None:
    with pytest.raises(FinbackError) as failure:
        write(path, value).find("a.example")
    assert failure.value.diagnostics[0].code == "F208"
    assert "s3cr3t" not in str(failure.value)
    assert "nocolon" not in str(failure.value)


def test_what_else_is_in_the_file_stays(path: Path) -> None:
    other = {"HttpHeaders": {"X": "1"}, "psFormat": "ä"}
    known = write(path, {**other, "auths": {"b.example": {"auth": auth("x:y"), "email": "z"}}})
    known.store("a.example", Credential(username="me", password="pass"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    after = json.loads(path.read_text())
    assert after == {
        **other,
        "auths": {"b.example": {"auth": auth("x:y"), "email": "z"}, "a.example": {"auth": auth("me:pass")}},
    }
    assert known.erase("a.example")
    assert not known.erase("a.example")
    assert "a.example" not in json.loads(path.read_text())["auths"]
    assert [p.name for p in path.parent.iterdir()] == ["config.json"]


def test_docker_finds_what_we_write_for_its_registry(path: Path) -> None:
    known = write(path, {"auths": {"docker.io": {"auth": auth("old:old")}}})
    known.store("docker.io", Credential(username="me", password="pass"))
    assert list(json.loads(path.read_text())["auths"]) == [DOCKER_KEY]


@pytest.mark.parametrize("config", [{"credsStore": "test"}, {"credHelpers": {"a.example": "test"}}])
def test_helpers_are_asked(path: Path, config: object, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = path.parent / "docker-credential-test"
    helper.write_text(HELPER)
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    known = write(path, config)
    assert known.find("a.example") is None
    assert known.store("a.example", Credential(username="me", password="pass")) == "docker-credential-test"
    assert known.find("a.example") == Credential(username="me", password="pass")
    assert json.loads(path.read_text()) == config, "nothing of it is in the file"
    known.store("a.example", Credential(identity_token="identity"))
    assert known.find("a.example") == Credential(identity_token="identity")
    assert known.erase("a.example")
    assert known.find("a.example") is None
    helper.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(FinbackError) as failure:
        known.find("a.example")
    assert failure.value.diagnostics[0].code == "F208"
    helper.unlink()
    with pytest.raises(FinbackError) as failure:
        known.find("a.example")
    assert failure.value.diagnostics[0].code == "F532"


def test_the_environment_names_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(path.parent))
    assert Credentials.of_user().path == path
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/x/auth.json")
    assert Credentials.of_user().path == Path("/x/auth.json")
