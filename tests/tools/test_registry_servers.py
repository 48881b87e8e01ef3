"""Real registries: Debian's docker-registry, with and without TLS and passwords; skopeo in and out."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from finback.host.store import Store
from finback.oci.credentials import Credential, Credentials
from finback.oci.network import Network, Rule
from finback.oci.registry import Registries
from finback.testing.conformance import CHECKS, Subject

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(not shutil.which("docker-registry"), reason="no docker-registry"),
]
# `me:pass`, as htpasswd -B makes it.
HTPASSWD = "me:$2b$05$SWrQj5NDHMUKxwqNSYBYmuavvFnKFEBBYpiZ6qDac6SohJwyy6pHO\n"
SECONDS = 20


@dataclass(frozen=True, slots=True)
class Server:
    """A registry that runs."""

    host: str
    authority: Path | None = None
    password: bool = False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def certificate(folder: Path) -> tuple[Path, Path]:
    key, made = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made, "-days", "2",
         "-subj", "/CN=finback test", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    return key, made


@contextmanager
def docker_registry(folder: Path, *, tls: bool = False, password: bool = False) -> Iterator[Server]:
    port = free_port()
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
    }
    made = None
    if tls:
        key, made = certificate(folder)
        config["http"] = {"addr": f"127.0.0.1:{port}", "tls": {"certificate": str(made), "key": str(key)}}
    if password:
        (folder / "htpasswd").write_text(HTPASSWD)
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config))
    log = (folder / "log").open("wb")
    with log, subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log) as child:
        try:
            wait(child, port, folder / "log")
            yield Server(f"127.0.0.1:{port}", made, password)
        finally:
            child.send_signal(signal.SIGKILL)


def wait(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        assert child.poll() is None, log.read_text()
        try:
            with urlopen(f"http://127.0.0.1:{port}/v2/", timeout=1):
                return
        except URLError as failure:
            # Any answer at all is a sign of life.
            if not isinstance(failure.reason, ConnectionRefusedError):
                return
        except OSError:
            return
        time.sleep(0.05)
    pytest.fail("the registry does not start: " + log.read_text())


KINDS = {"plain": {}, "TLS": {"tls": True}, "password": {"password": True}, "both": {"tls": True, "password": True}}


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with docker_registry(tmp_path_factory.mktemp("registry"), **KINDS[request.param]) as running:
        yield running


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_docker_registry_conforms(server: Server, check: Callable[[Subject], None], tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "auth.json")
    if server.password:
        credentials.store(server.host, Credential(username="me", password="pass"))
    authorities = (server.authority,) if server.authority else ()
    rule = Rule(pattern=server.host, insecure="" if authorities else "http", authorities=authorities)
    subject = Subject(
        host=server.host,
        connect=lambda: Registries(Network((rule,)), credentials),
        here=Store(tmp_path / "here"),
        there=Store(tmp_path / "there"),
    )
    check(subject)
