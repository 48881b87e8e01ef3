"""Whose certificates are believed, also through a proxy."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from finback.ground.diagnostic import FinbackError
from finback.host.store import Store
from finback.oci.network import Rule, insecure_rules, mirror_rules
from finback.testing.registry import FakeRegistry
from finback.testing.world import World

pytestmark = [pytest.mark.tools, pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")]


@pytest.fixture
def world(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    # The registry of these tests stands for one elsewhere.
    monkeypatch.setattr("finback.oci.network._is_here", lambda _: False)
    monkeypatch.setattr("finback.host.connection.is_loopback", lambda _: False)
    key, made = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made, "-days", "2",
         "-subj", "/CN=finback test", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    with FakeRegistry(certificate=(str(made), str(key))) as registry:
        registry.put_image("a", "1", [b"layer"])
        found = World(registry, store, tmp_path)
        found.rules = ()
        yield found


def refused(world: World) -> bool:
    with pytest.raises(FinbackError) as failure:
        world.pull("a:1")
    return failure.value.diagnostics[0].code == "F204" and not world.registry.seen


def test_a_certificate_that_nobody_vouches_for_is_refused(world: World) -> None:
    assert refused(world)
    world.rules = (Rule(pattern="other.example", authorities=(world.store.root.parent / "cert.pem",)),)
    assert refused(world), "an authority is believed where it is named"
    world.rules = insecure_rules(["https://127.0.0.1:9"])
    assert refused(world), "insecure is what is named"


def test_an_authority_that_is_named_is_believed(world: World) -> None:
    world.rules = (Rule(pattern="*", authorities=(world.store.root.parent / "cert.pem",)),)
    world.pull("a:1")


def test_a_registry_that_is_named_as_insecure_is_not_checked(world: World) -> None:
    world.rules = insecure_rules([f"https://{world.registry.host}"])
    world.pull("a:1")


def test_on_this_machine_a_certificate_is_checked_only_against_authorities_that_are_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    world.pull("a:1")
    other = world.store.root.parent / "other.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-out", other, "-subj",
         "/CN=other"], check=True, capture_output=True,
    )  # fmt: skip
    world.registry.seen.clear()
    world.rules = (Rule(pattern="*", authorities=(other,)),)
    assert refused(world)


def test_a_mirror_has_rules_of_its_own(world: World) -> None:
    with FakeRegistry() as home:
        mirror = mirror_rules([f"{home.host}={world.registry.url}"])
        world.rules = (*mirror, *insecure_rules([f"http://{home.host}", f"https://{world.registry.host}"]))
        world.registry, home_registry = home, world.registry
        world.pull("a:1")
        assert home.seen == []
        assert home_registry.seen


def test_tls_goes_through_a_proxy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.rules = (Rule(pattern="*", authorities=(world.store.root.parent / "cert.pem",)),)
    with proxy() as (address, heard):
        monkeypatch.setenv("https_proxy", f"http://me:s3cr3t@{address}")
        world.pull("a:1")
    assert heard
    assert all(h.startswith(f"CONNECT {world.registry.host} ") for h in heard)
    assert all("Basic bWU6czNjcjN0" in h for h in heard)
    assert not any("Proxy-Authorization" in s.headers for s in world.registry.seen)
    monkeypatch.setenv("https_proxy", "http://me:s3cr3t@127.0.0.1:9")
    with pytest.raises(FinbackError) as failure:
        world.pull("a:2")
    assert failure.value.diagnostics[0].code == "F201"
    assert "s3cr3t" not in str(failure.value)


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that connects; its address, and what it was asked."""
    heard: list[str] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        said = b""
        while not said.endswith(b"\r\n\r\n") and (piece := client.recv(1 << 16)):
            said += piece
        heard.append(said.decode())
        host, _, port = said.split()[1].decode().rpartition(":")
        with client, socket.create_connection((host, int(port))) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join(5)

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}", heard
        listening.shutdown(socket.SHUT_RDWR)
