"""Registries on the command line, against the fake one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from finback.host.machine import host_platform
from finback.testing.access import Access
from finback.testing.registry import FakeRegistry

Finback = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def finback(tmp_path: Path, registry: FakeRegistry) -> Finback:
    env = {
        **{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "LC_ALL": "C.UTF-8",
    }
    env.pop("REGISTRY_AUTH_FILE", None)
    (tmp_path / "config/finback").mkdir(parents=True)
    insecure = f"registries:\n- name: {registry.host}\n  insecure: http\n"
    (tmp_path / "config/finback/config.yml").write_text(insecure)

    def run(*arguments: str, text: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "finback", *arguments]
        return subprocess.run(
            command, env={**env, **changes}, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
            input=text,
        )  # fmt: skip

    return run


def layer(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(data), 0o755
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def kernel(architecture: str) -> bytes:
    """The head of a kernel, as far as anything looks at it."""
    if architecture == "arm64":
        return bytes(56) + b"ARMd" + bytes(4000)
    return bytes(0x1FE) + b"\x55\xaa\xeb\x66HdrS" + bytes(4000)


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_spec_is_built_from_a_registry_and_its_lock_holds(
    finback: Finback, registry: FakeRegistry, tmp_path: Path
) -> None:
    for architecture in ("amd64", "arm64"):
        registry.put_image("web", "", [layer("web", architecture.encode())], architecture)
    entries = [
        {"mediaType": m, "digest": d, "size": len(b), "platform": {"os": "linux", "architecture": a}}
        for (d, (m, b)), a in zip(registry.repositories["web"].manifests.items(), ("amd64", "arm64"), strict=True)
    ]
    registry.put_index("web", "1", entries)
    (tmp_path / "x.yml").write_text(f"services:\n- name: web\n  image: {registry.host}/web:1\n")
    ok(finback("build", "--arch", "arm64", "-f", "tar", "x.yml"))
    with tarfile.open(tmp_path / ("x.tar" if host_platform().architecture == "arm64" else "x-arm64.tar")) as archive:
        inside = [m for m in archive.getmembers() if m.name.endswith("/web") and m.isfile()]
        assert [archive.extractfile(m).read() for m in inside] == [b"arm64"]
    lock = json.loads((tmp_path / "x.lock").read_text())
    pinned = lock["platforms"]["linux/arm64"][f"{registry.host}/web:1"]
    assert pinned == {"digest": entries[1]["digest"], "version": "1"}
    seen = len(registry.seen)
    ok(finback("build", "--arch", "arm64", "-f", "tar", "--frozen", "x.yml"))
    assert len(registry.seen) == seen, "what is locked and in the store needs no registry"
    assert "nothing has moved" in finback("outdated", "x.yml").stderr
    moved = registry.put_image("web", "1", [layer("web", b"new")], "arm64")
    shown = json.loads(ok(finback("outdated", "--json", "x.yml")))
    assert [(m["what"], m["now"]) for m in shown] == [(f"{registry.host}/web:1", moved["digest"][7:23])]
    ok(finback("build", "--arch", "arm64", "-f", "tar", "x.yml"))
    assert json.loads((tmp_path / "x.lock").read_text()) == lock, "a build keeps to the lock"
    ok(finback("lock", "--arch", "arm64", "--update", "x.yml"))
    assert moved["digest"] in (tmp_path / "x.lock").read_text()


def test_what_a_spec_names_wrongly_is_said_with_the_line(
    finback: Finback, registry: FakeRegistry, tmp_path: Path
) -> None:
    registry.put_image("web", "1", [layer("web", b"")], "s390x")
    (tmp_path / "x.yml").write_text(
        f"services:\n- name: a\n  image: {registry.host}/web:2\n- name: b\n  image: {registry.host}/web:1\n"
    )
    done = finback("build", "--arch", "amd64", "x.yml")
    assert "x.yml:3:10" in done.stderr
    assert "F206" in done.stderr
    assert "x.yml:5:10" in done.stderr
    assert "it is for: linux/s390x" in done.stderr
    assert not list(tmp_path.glob("x-*"))
    assert not list(tmp_path.glob("*.lock"))


def test_a_built_system_goes_to_a_registry_and_back(finback: Finback, registry: FakeRegistry, tmp_path: Path) -> None:
    reference = f"{registry.host}/os/talk:1"
    for architecture in ("amd64", "arm64"):
        folder = tmp_path / architecture
        folder.mkdir()
        (folder / "talk-kernel").write_bytes(kernel(architecture))
        (folder / "talk-initrd.img").write_bytes(os.urandom(100_000))
        (folder / "talk-cmdline").write_text("console=ttyS0")
        done = json.loads(ok(finback("push", "registry", "--json", "--add", reference, f"{architecture}/talk")))
        assert done[0]["reference"] == reference
    ok(finback("pull", "--dir", "new", "--arch", "arm64", reference, XDG_CACHE_HOME=str(tmp_path / "other")))
    for path in (tmp_path / "arm64").iterdir():
        assert (tmp_path / "new" / path.name).read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "new").iterdir())) == 3
    (tmp_path / "arm64/talk-cmdline").write_text("console=ttyAMA0")
    ok(finback("pull", "--dir", "new", "--arch", "arm64", reference))
    ok(finback("push", "registry", "--add", reference, "arm64/talk"))
    assert "F178" in finback("pull", "--dir", "new", "--arch", "arm64", reference).stderr
    ok(finback("pull", "--dir", "new", "--force", "--arch", "arm64", reference))
    assert (tmp_path / "new/talk-cmdline").read_text() == "console=ttyAMA0"
    failed = finback("pull", "--dir", "none", "--arch", "s390x", reference)
    assert "it is for: linux/amd64, linux/arm64" in failed.stderr
    assert not (tmp_path / "none").exists()
    single = f"{registry.host}/os/talk:single"
    ok(finback("push", "registry", single, "arm64/talk-kernel", "arm64/talk-cmdline"))
    assert "F176" in finback("push", "registry", "--add", single, "amd64/talk").stderr
    assert "F171" in finback("pull", "--arch", "amd64", single).stderr
    assert "F410" in finback("push", "registry", single, "nothing").stderr
    ok(finback("push", "registry", "--subject", "1", f"{registry.host}/os/talk:notes", "arm64/talk-cmdline"))


@pytest.mark.parametrize("name", ["Makefile", "talk.yml", "talk", "setup.py", "x.service", "config"])
def test_only_parts_of_a_system_are_pulled(name: str, finback: Finback, registry: FakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    for part in (name, "talk-kernel"):
        (tmp_path / "from" / part).write_bytes(kernel("amd64"))
    reference = f"{registry.host}/os/talk:1"
    ok(finback("push", "registry", reference, f"from/{name}", "from/talk-kernel"))
    done = finback("pull", "--dir", "to", "--force", reference)
    assert "F174" in done.stderr
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("config", [b"no JSON", b"[" * 20_000, b'{"architecture": 5}', b"\xff"])
def test_an_artefact_whose_configuration_is_none(config: bytes, finback: Finback, registry: FakeRegistry) -> None:
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {**registry.put_blob("os", config), "mediaType": "application/vnd.finback.system.config.v1+json"},
        "layers": [
            {**registry.put_blob("os", b"x"), "annotations": {"org.opencontainers.image.title": "talk-kernel"}},
        ],
    }
    for layer_or_config in (document["config"], *document["layers"]):  # type: ignore[misc]
        layer_or_config.setdefault("mediaType", "application/octet-stream")
    registry.put_manifest("os", document, "1")
    done = finback("pull", "--arch", "amd64", f"{registry.host}/os:1")
    assert done.returncode == 1
    assert "error[F170]" in done.stderr


def test_a_pull_replaces_nothing_and_follows_no_link(finback: Finback, registry: FakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "talk-kernel").write_bytes(kernel("amd64"))
    (tmp_path / "talk-cmdline").write_text("console=ttyS0")
    reference = f"{registry.host}/os/talk:1"
    ok(finback("push", "registry", reference, "talk-kernel", "talk-cmdline"))
    (tmp_path / "to").mkdir()
    (tmp_path / "mine").write_text("mine")
    for target in ("../mine", "../nowhere"):
        (tmp_path / "to/talk-cmdline").symlink_to(target)
        done = finback("pull", "--dir", "to", reference)
        assert "F178" in done.stderr
        assert "--force" in done.stderr
        assert not (tmp_path / "to/talk-kernel").exists(), "all or nothing"
        ok(finback("pull", "--dir", "to", "--force", reference))
        assert not (tmp_path / "to/talk-cmdline").is_symlink()
        assert (tmp_path / "to/talk-cmdline").read_text() == "console=ttyS0"
        assert (tmp_path / "mine").read_text() == "mine"
        assert not (tmp_path / "nowhere").exists()
        for path in (tmp_path / "to").iterdir():
            path.unlink()
    (tmp_path / "to/talk-kernel").mkdir()
    assert "F178" in finback("pull", "--dir", "to", "--force", reference).stderr


def test_a_system_is_no_image_for_a_container(finback: Finback, registry: FakeRegistry, tmp_path: Path) -> None:
    (tmp_path / "a.img").write_bytes(b"x")
    ok(finback("push", "registry", f"{registry.host}/a", "a.img"))
    (tmp_path / "x.yml").write_text(f"services:\n- name: a\n  image: {registry.host}/a:latest\n")
    done = finback("build", "x.yml")
    assert "F122" in done.stderr
    assert "finback pull" in done.stderr


def test_images_go_through_the_cache(finback: Finback, registry: FakeRegistry, tmp_path: Path) -> None:
    made = [registry.put_image("web", "", [a.encode()], a) for a in ("amd64", "arm64")]
    registry.put_index("web", "1", made)
    name = f"{registry.host}/web:1"
    shown = ok(finback("cache", "pull", "--arch", "amd64", name))
    assert shown.split() == [name, made[0]["digest"]]
    copy = f"{registry.host}/copy:1"
    assert "F175" in finback("cache", "push", "--remote-name", copy, name).stderr
    ok(finback("cache", "push", "--arch", "amd64", "--remote-name", copy, name))
    assert registry.repositories["copy"].tags == {"1": made[0]["digest"]}
    assert any("mount=" in s.path for s in registry.seen)
    ok(finback("cache", "pull", "--arch", "arm64", name))
    ok(finback("cache", "push", "--remote-name", copy, name))
    assert registry.repositories["copy"].tags == {"1": registry.repositories["web"].tags["1"]}
    assert "F175" in finback("cache", "push", "nothing").stderr


def test_login_and_logout(finback: Finback, registry: FakeRegistry, tmp_path: Path) -> None:
    registry.access = Access("bearer", {"me": "s3cr3t"})
    registry.put_image("web", "1", [b"x"], "amd64")
    host = registry.host
    pull = ("cache", "pull", "--arch", "amd64", f"{host}/web:1")
    done = finback(*pull)
    assert done.returncode == 3
    assert f"finback login {host}" in done.stderr
    done = finback("login", host, "-u", "me", "--password-stdin", text="wrong\n")
    assert done.returncode == 3
    assert "wrong" not in done.stderr
    assert not (tmp_path / "docker").exists()
    done = finback("login", host, "-u", "me", "--password-stdin", text="s3cr3t\n")
    assert done.returncode == 0, done.stderr
    ok(finback(*pull))
    assert "is forgotten" in finback("logout", host).stderr
    assert "nothing was known" in finback("logout", host).stderr
    for done in (finback("--progress", "json", "-v", "3", *pull), finback(*pull)):
        assert "s3cr3t" not in done.stdout + done.stderr


def test_mirrors_from_the_command_line_and_the_environment(finback: Finback, registry: FakeRegistry) -> None:
    registry.put_image("library/web", "1", [b"x"], "amd64")
    ok(finback("--mirror", f"docker.io={registry.url}", "cache", "pull", "--arch", "amd64", "web:1"))
    registry.put_image("library/web", "2", [b"y"], "amd64")
    ok(
        finback(
            "cache", "pull", "--arch", "amd64", "web:2", LINUXKIT_MIRROR=f"quay.io=http://127.0.0.1:9,{registry.url}"
        )
    )
    assert "F042" in finback("--mirror", "nowhere", "cache", "pull", "web:1").stderr
    assert "F042" in finback("--insecure", registry.host, "cache", "pull", "web:1").stderr
    assert "F512" in finback("--cert-file", "none.pem", "cache", "pull", f"{registry.host}/library/web:3").stderr
