"""Real registries: Debian's docker-registry, with and without TLS and passwords, and crane; skopeo in and out."""

from __future__ import annotations

import base64
import io
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from finback.app.mirror import mirrors
from finback.component.archive import Archive, ArchiveSettings
from finback.ground.platform import ARCHITECTURES
from finback.host.http import Fetcher
from finback.host.store import Store
from finback.oci import image
from finback.oci.credentials import Credential, Credentials
from finback.oci.network import Network, Rule
from finback.oci.registry import Registries
from finback.testing.access import Access
from finback.testing.conformance import CHECKS, STRICT, Subject
from finback.testing.fault import Answer, as_json
from finback.testing.registry import FakeRegistry

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(not shutil.which("docker-registry"), reason="no docker-registry"),
]
# `me:pass`, as htpasswd -B makes it.
HTPASSWD = "me:$2b$05$SWrQj5NDHMUKxwqNSYBYmuavvFnKFEBBYpiZ6qDac6SohJwyy6pHO\n"
SECONDS = 20
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


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


class Signer(Access):
    """Gives tokens that docker-registry believes. Source: distribution's auth/jwt.md; RFC 7515."""

    def __init__(self, folder: Path) -> None:
        super().__init__("bearer", {"me": "pass"}, anonymous=True)
        self.key, self.certificate = certificate(folder)

    def token(self, header: str, query: Mapping[str, list[str]]) -> Answer:
        if header and not self.user(header):
            return Answer(status=401)
        known = bool(header)
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            allowed = [a for a in actions.split(",") if known or a == "pull"]
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        claims = {"iss": "finback test", "sub": "me", "aud": query["service"][0], "exp": now + 60, "nbf": now - 60,
                  "iat": now, "jti": secrets.token_hex(8), "access": access}  # fmt: skip
        chain = "".join(self.certificate.read_text().split("-----")[2].split())
        text = ".".join(
            compact(json.dumps(v).encode()) for v in ({"typ": "JWT", "alg": "RS256", "x5c": [chain]}, claims)
        )
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(), check=True, capture_output=True
        ).stdout
        return as_json({"token": f"{text}.{compact(signature)}", "expires_in": 60})


def compact(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@contextmanager
def with_tokens(folder: Path) -> Iterator[Server]:
    signer = Signer(folder)
    with FakeRegistry(signer) as giver:
        token = {"realm": f"{giver.url}/token", "service": "test", "issuer": "finback test",
                 "rootcertbundle": str(signer.certificate)}  # fmt: skip
        with docker_registry(folder, auth={"token": token}) as running:
            yield Server(running.host, password=True)


@contextmanager
def docker_registry(
    folder: Path, *, tls: bool = False, password: bool = False, auth: Mapping[str, object] | None = None
) -> Iterator[Server]:
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
    if auth:
        config["auth"] = auth
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


KINDS: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {
    "plain": docker_registry,
    "TLS": partial(docker_registry, tls=True),
    "password": partial(docker_registry, password=True),
    "both": partial(docker_registry, tls=True, password=True),
    "tokens": with_tokens,
}


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with KINDS[request.param](tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.mark.parametrize("check", CHECKS + STRICT, ids=lambda c: c.__name__)
def test_docker_registry_conforms(server: Server, check: Callable[[Subject], None], tmp_path: Path) -> None:
    check(subject(server, tmp_path))


def subject(server: Server, folder: Path) -> Subject:
    credentials = Credentials(folder / "auth.json")
    if server.password:
        credentials.store(server.host, Credential(username="me", password="pass"))
    authorities = (server.authority,) if server.authority else ()
    rule = Rule(pattern=server.host, insecure="" if authorities else "http", authorities=authorities)
    return Subject(
        host=server.host,
        connect=lambda: Registries(Network((rule,)), credentials),
        here=Store(folder / "here"),
        there=Store(folder / "there"),
    )


@pytest.fixture(scope="module")
def crane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The registry of go-containerregistry, which LinuxKit uses as a library: from Debian's archive, not installed."""
    mirror = mirrors().debian
    if mirror is None or not KEYRING.exists() or not shutil.which("dpkg-deb"):
        pytest.skip("needs Debian's archive and dpkg-deb")
    folder = tmp_path_factory.mktemp("crane")
    store = Store(folder / "store")
    settings = ArchiveSettings(
        mirror=mirror,
        suites=("sid",),
        keyring=KEYRING.read_bytes(),
        now=int(time.time()),
        # An old version will do: what is tested is finback.
        accept_expired=True,
    )
    archive = Archive(settings, store, Fetcher(), "amd64")
    package = next(p for p in archive.solve(("crane",), ()) if p.name == "crane")
    archive.fetch((package,))
    subprocess.run(["dpkg-deb", "-x", store.path(package.digest), folder], check=True)
    port = free_port()
    program = [folder / "usr/bin/crane", "registry", "serve", "--address", f"127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log, subprocess.Popen(program, stdout=log, stderr=log) as child:
        try:
            wait(child, port, folder / "log")
            yield Server(f"127.0.0.1:{port}")
        finally:
            child.kill()


@pytest.mark.archive
@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="fetches a program for amd64")
@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_crane_conforms(crane: Server, check: Callable[[Subject], None], tmp_path: Path) -> None:
    check(subject(crane, tmp_path))


class Outside:
    """finback and skopeo, as processes of a user who has a configuration for the registry."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        certificates = folder / "certificates"
        certificates.mkdir()
        if server.authority:
            shutil.copy(server.authority, certificates / "ca.crt")
        rule = f"ca: [{server.authority}]" if server.authority else "insecure: http"
        config = folder / "config/finback/config.yml"
        config.parent.mkdir(parents=True)
        config.write_text(f"registries:\n- name: {server.host}\n  {rule}\n")
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
            "XDG_CONFIG_HOME": str(folder / "config"),
            "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        }
        if server.password:
            self.finback("login", server.host, "-u", "me", "--password-stdin", text="pass\n")

    def finback(self, *arguments: str, cache: str = "cache", text: str = "") -> str:
        return self._run([sys.executable, "-m", "finback", "--cache", self.folder / cache, *arguments], text)

    def skopeo(self, *arguments: str) -> str:
        """skopeo finds the password that `finback login` has left."""
        verb, *rest = arguments
        policy = ["--insecure-policy"]
        tls = [f"--{side}tls-verify={'true' if self.server.authority else 'false'}" for side in self._sides(verb, rest)]
        certificates = [f"--{side}cert-dir={self.folder / 'certificates'}" for side in self._sides(verb, rest)]
        return self._run(["skopeo", *policy, verb, *tls, *certificates, *rest])

    def _sides(self, verb: str, rest: list[str]) -> list[str]:
        if verb != "copy":
            return [""]
        source, target = rest[-2:]
        return [s for s, name in (("src-", source), ("dest-", target)) if name.startswith("docker:")]

    def _run(self, command: list[object], text: str = "") -> str:
        done = subprocess.run(
            command, env=self.env, cwd=self.folder, input=text, capture_output=True, text=True, timeout=120, check=False
        )  # type: ignore[call-overload]
        assert done.returncode == 0, done.stderr
        return str(done.stdout)


@pytest.fixture
def outside(server: Server, tmp_path: Path) -> Outside:
    return Outside(server, tmp_path)


def layer(path: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(data), 0o755
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.skipif(not shutil.which("skopeo"), reason="no skopeo")
def test_what_skopeo_pushes_is_built_from(outside: Outside, tmp_path: Path) -> None:
    store = Store(tmp_path / "layout")
    entries = []
    for architecture in ARCHITECTURES:
        config = {"os": "linux", "architecture": architecture, "config": {"Cmd": ["/web"]}}
        digest = image.write(store, [store.put(layer("web", architecture.encode()))], config)
        entry = {"mediaType": image.MANIFEST, "digest": str(digest), "size": store.size(digest)}
        entries.append({**entry, "platform": {"os": "linux", "architecture": architecture}})
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}
    digest = store.put(json.dumps(index).encode())
    store.tag("web", {"mediaType": index["mediaType"], "digest": str(digest), "size": store.size(digest)})
    name = f"{outside.server.host}/skopeo/web:1"
    outside.skopeo("copy", "--all", "--preserve-digests", f"oci:{tmp_path / 'layout'}:web", f"docker://{name}")
    (tmp_path / "x.yml").write_text(f"services:\n- name: web\n  image: {name}\n")
    for architecture in ARCHITECTURES:
        outside.finback("build", "--arch", architecture, "-f", "tar", "--name", "x", "x.yml")
        with tarfile.open(tmp_path / "x.tar") as archive:
            inside = [m for m in archive.getmembers() if m.isfile() and m.name.endswith("/web")]
            assert [archive.extractfile(m).read() for m in inside] == [architecture.encode()]  # type: ignore[union-attr]
    outside.finback("cache", "push", "--remote-name", f"{outside.server.host}/finback/web:2", name)
    raw = outside.skopeo("inspect", "--raw", f"docker://{outside.server.host}/finback/web:2")
    assert json.loads(raw) == index
    shown = outside.skopeo("inspect", "--override-arch=s390x", f"docker://{outside.server.host}/finback/web:2")
    assert json.loads(shown)["Architecture"] == "s390x"


@pytest.mark.skipif(not shutil.which("skopeo"), reason="no skopeo")
def test_what_we_push_skopeo_copies_out(outside: Outside, tmp_path: Path) -> None:
    files = {"talk-kernel": os.urandom(3_000_000), "talk-initrd.img": os.urandom(1000), "talk-cmdline": b"quiet"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    name = f"{outside.server.host}/os/talk:1"
    outside.finback("push", "registry", "--arch", "amd64", name, "talk")
    found = json.loads(outside.skopeo("inspect", "--raw", f"docker://{name}"))
    assert found["artifactType"] == "application/vnd.finback.system.v1"
    outside.skopeo("copy", f"docker://{name}", f"oci:{tmp_path / 'copy'}:1")
    for entry in found["layers"]:
        title = entry["annotations"]["org.opencontainers.image.title"]
        algorithm, _, encoded = entry["digest"].partition(":")
        assert (tmp_path / "copy/blobs" / algorithm / encoded).read_bytes() == files[title]
    outside.skopeo("copy", f"docker://{name}", f"docker://{outside.server.host}/elsewhere/talk:1")
    outside.finback("pull", "--dir", "new", f"{outside.server.host}/elsewhere/talk:1", cache="other")
    assert {p.name: p.read_bytes() for p in (tmp_path / "new").iterdir()} == files
