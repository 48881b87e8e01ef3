"""A registry in this process, on loopback: OCI distribution 1.1 with tokens, and with faults on demand.

It keeps everything in memory. Requests are logged in `seen` with their headers, so that a test can say what went where.

Source: OCI distribution specification 1.1; distribution's token specification.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from finback.ground.digest import Digest
from finback.oci.image import CONFIG, LAYER
from finback.oci.manifest import INDEX, MANIFEST
from finback.testing.access import Access
from finback.testing.fault import Answer, Fault, as_json

LIMIT = 4 << 20
_NAME = r"(?P<name>[a-z0-9][a-z0-9/._-]*)"
_ROUTES = (
    ("manifest", re.compile(rf"/v2/{_NAME}/manifests/(?P<reference>[A-Za-z0-9_][\w.:-]*)\Z")),
    ("upload", re.compile(rf"/v2/{_NAME}/blobs/uploads/(?P<id>[0-9a-f]*)\Z")),
    ("blob", re.compile(rf"/v2/{_NAME}/blobs/(?P<digest>[a-z0-9]+:[0-9a-f]+)\Z")),
    ("referrers", re.compile(rf"/v2/{_NAME}/referrers/(?P<digest>[a-z0-9]+:[0-9a-f]+)\Z")),
    ("tags", re.compile(rf"/v2/{_NAME}/tags/list\Z")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


class Repository:
    """What one repository holds."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.tags: dict[str, str] = {}


class FakeRegistry:
    """A registry that runs while its `with` block does, on a port of *address*. `host` is what references begin with.

    Raises:
        OSError: this machine does not have the address.

    """

    def __init__(
        self,
        access: Access | None = None,
        *,
        referrers: bool = True,
        certificate: tuple[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.access = access or Access()
        self.referrers = referrers
        """Whether it has the referrers API."""
        self.repositories: dict[str, Repository] = {}
        self.uploads: dict[str, bytearray] = {}
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.gate = threading.RLock()
        self._server = (_Server6 if ":" in address else _Server)((address, 0), _Handler)
        self._server.registry = self
        self._scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`."""
        address, port = self._server.server_address[:2]
        return f"[{address!s}]:{port}" if ":" in str(address) else f"{address!s}:{port}"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self._scheme}://{self.host}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def repository(self, name: str) -> Repository:
        """The repository *name*, made when it is not there."""
        with self.gate:
            return self.repositories.setdefault(name, Repository())

    def put_blob(self, name: str, data: bytes) -> dict[str, Any]:
        """Keep a blob; its descriptor, without a media type."""
        digest = str(Digest.of(data))
        self.repository(name).blobs[digest] = data
        return {"digest": digest, "size": len(data)}

    def put_manifest(self, name: str, document: Mapping[str, Any], tag: str = "") -> dict[str, Any]:
        """Keep a manifest or an index; its descriptor."""
        body = json.dumps(document).encode()
        digest = str(Digest.of(body))
        repository = self.repository(name)
        repository.manifests[digest] = (document["mediaType"], body)
        if tag:
            repository.tags[tag] = digest
        return {"mediaType": document["mediaType"], "digest": digest, "size": len(body)}

    def put_image(self, name: str, tag: str, layers: list[bytes], architecture: str = "amd64") -> dict[str, Any]:
        """Keep an image of uncompressed layers; its descriptor with a platform."""
        root = {"type": "layers", "diff_ids": [str(Digest.of(layer)) for layer in layers]}
        body = {"os": "linux", "architecture": architecture, "config": {"Cmd": ["/bin/true"]}, "rootfs": root}
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, **self.put_blob(name, json.dumps(body).encode())},
            "layers": [{"mediaType": LAYER, **self.put_blob(name, layer)} for layer in layers],
        }
        made = self.put_manifest(name, document, tag)
        return {**made, "platform": {"os": "linux", "architecture": architecture}}

    def put_index(self, name: str, tag: str, manifests: list[dict[str, Any]]) -> dict[str, Any]:
        """Keep an index; its descriptor."""
        return self.put_manifest(name, {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, tag)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    registry: FakeRegistry

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no matter here."""
        del request, client_address


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = 30

    def log_message(self, *_: Any) -> None:
        """Say nothing: `seen` has it all."""

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _serve(self) -> None:
        registry = self.server.registry
        body = self._body()
        seen = Seen(method=self.command, path=self.path, headers=dict(self.headers.items()), body=body)
        with registry.gate:
            registry.seen.append(seen)
            answer = self._answer(seen)
            for fault in registry.faults:
                if fault.befalls(f"{self.command} {self.path}"):
                    answer = fault.change(answer)
                    break
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            length = len(answer.body) if answer.announced is None else answer.announced
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        for piece in answer.pieces():
            self.wfile.write(piece)
            self.wfile.flush()
        if answer.announced is not None:
            self.close_connection = True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        data = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(data)

    def _answer(self, seen: Seen) -> Answer:
        registry, parts = self.server.registry, urlsplit(seen.path)
        header = seen.headers.get("Authorization", "")
        query = parse_qs(parts.query)
        if parts.path == "/token":
            return registry.access.token(header, parse_qs(seen.body.decode()) if seen.body else query)
        if parts.path in ("/v2", "/v2/"):
            return self._admitted(header, "") or as_json({})
        for kind, pattern in _ROUTES:
            found = pattern.match(parts.path)
            if found:
                action = "pull" if seen.method in ("GET", "HEAD") else "push"
                denied = self._admitted(header, f"repository:{found['name']}:{action}")
                if denied:
                    return denied
                respond = getattr(self, f"_{kind}")
                answer: Answer = respond(registry.repository(found["name"]), found.groupdict(), query, seen)
                return answer
        return _problem(404, "NAME_UNKNOWN", "no such thing")

    def _admitted(self, header: str, scope: str) -> Answer | None:
        registry = self.server.registry
        access = registry.access
        if access.admits(header, scope):
            return None
        asked = 'Basic realm="fake"'
        if access.scheme == "bearer":
            words = f',scope="{scope}"' if scope else ""
            asked = f'Bearer realm="{registry.url}/token",service="fake"{words}'
        return _problem(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": asked})

    def _manifest(self, repository: Repository, found: dict[str, str], _: Any, seen: Seen) -> Answer:
        reference = found["reference"]
        if seen.method == "PUT":
            return self._put_manifest(repository, found, seen)
        digest = reference if ":" in reference else repository.tags.get(reference, "")
        if digest not in repository.manifests:
            return _problem(404, "MANIFEST_UNKNOWN", "manifest unknown")
        if seen.method == "DELETE":
            del repository.manifests[digest]
            return Answer(status=202)
        media_type, body = repository.manifests[digest]
        return Answer(status=200, headers={"Content-Type": media_type, "Docker-Content-Digest": digest}, body=body)

    def _put_manifest(self, repository: Repository, found: dict[str, str], seen: Seen) -> Answer:
        reference, digest = found["reference"], str(Digest.of(seen.body))
        if len(seen.body) > LIMIT:
            return _problem(413, "SIZE_INVALID", "manifest too large")
        if ":" in reference and reference != digest:
            return _problem(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        document = json.loads(seen.body)
        wanted = [document["config"], *document["layers"]] if "config" in document else []
        missing = [d["digest"] for d in wanted if d["digest"] not in repository.blobs]
        missing += [d["digest"] for d in document.get("manifests", ()) if d["digest"] not in repository.manifests]
        subject = document.get("subject")
        if missing and not _is_referrers_index(reference):
            return _problem(404, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {missing[0]}")
        repository.manifests[digest] = (seen.headers.get("Content-Type", ""), seen.body)
        if ":" not in reference:
            repository.tags[reference] = digest
        headers = {"Location": f"/v2/{found['name']}/manifests/{digest}", "Docker-Content-Digest": digest}
        if subject and self.server.registry.referrers:
            headers["OCI-Subject"] = subject["digest"]
        return Answer(status=201, headers=headers)

    def _blob(self, repository: Repository, found: dict[str, str], _: Any, seen: Seen) -> Answer:
        data = repository.blobs.get(found["digest"])
        if data is None:
            return _problem(404, "BLOB_UNKNOWN", "blob unknown to registry")
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": found["digest"]}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", seen.headers.get("Range", ""))
        if not asked:
            return Answer(status=200, headers={**headers, "Accept-Ranges": "bytes"}, body=data)
        start, end = int(asked[1]), int(asked[2] or len(data) - 1)
        if start >= len(data):
            return Answer(status=416, headers={"Content-Range": f"bytes */{len(data)}"})
        return Answer(
            status=206,
            headers={**headers, "Content-Range": f"bytes {start}-{min(end, len(data) - 1)}/{len(data)}"},
            body=data[start : end + 1],
        )

    def _upload(self, repository: Repository, found: dict[str, str], query: dict[str, list[str]], seen: Seen) -> Answer:
        uploads, name = self.server.registry.uploads, found["name"]
        if seen.method == "POST":
            source = self.server.registry.repositories.get(query.get("from", [""])[0])
            mounted = query.get("mount", [""])[0]
            if source and mounted in source.blobs:
                repository.blobs[mounted] = source.blobs[mounted]
                return Answer(status=201, headers={"Location": f"/v2/{name}/blobs/{mounted}"})
            number = secrets.token_hex(8)
            uploads[number] = bytearray()
            return self._progress(name, number)
        return self._continue(repository, found, query, seen)

    def _continue(
        self, repository: Repository, found: dict[str, str], query: dict[str, list[str]], seen: Seen
    ) -> Answer:
        uploads, name = self.server.registry.uploads, found["name"]
        number = found["id"]
        if number not in uploads:
            return _problem(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        if seen.method == "GET":
            return self._progress(name, number, status=204)
        asked = re.fullmatch(r"(\d+)-(\d+)", seen.headers.get("Content-Range", ""))
        if asked and int(asked[1]) != len(uploads[number]):
            return self._progress(name, number, status=416)
        uploads[number] += seen.body
        if seen.method == "PATCH":
            return self._progress(name, number)
        data, digest = bytes(uploads.pop(number)), query.get("digest", [""])[0]
        if str(Digest.of(data)) != digest:
            return _problem(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        repository.blobs[digest] = data
        return Answer(status=201, headers={"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest})

    def _progress(self, name: str, number: str, status: int = 202) -> Answer:
        done = len(self.server.registry.uploads[number])
        headers = {"Location": f"/v2/{name}/blobs/uploads/{number}?state=x", "Range": f"0-{max(done - 1, 0)}"}
        return Answer(status=status, headers=headers)

    def _referrers(self, repository: Repository, found: dict[str, str], query: dict[str, list[str]], _: Seen) -> Answer:
        if not self.server.registry.referrers:
            return _problem(404, "UNSUPPORTED", "no such thing")
        about = []
        for digest, (media_type, body) in repository.manifests.items():
            document = json.loads(body)
            if (document.get("subject") or {}).get("digest") == found["digest"]:
                kind = document.get("artifactType") or document.get("config", {}).get("mediaType", "")
                entry = {"mediaType": media_type, "digest": digest, "size": len(body), "artifactType": kind}
                about.append({**entry, "annotations": document.get("annotations", {})})
        asked = query.get("artifactType", [""])[0]
        chosen = [m for m in about if not asked or m["artifactType"] == asked]
        filtered = {"OCI-Filters-Applied": "artifactType"} if asked else {}
        answer = as_json({"schemaVersion": 2, "mediaType": INDEX, "manifests": chosen})
        return Answer(status=200, headers={"Content-Type": INDEX, **filtered}, body=answer.body)

    def _tags(self, repository: Repository, found: dict[str, str], *_: Any) -> Answer:
        return as_json({"name": found["name"], "tags": sorted(repository.tags)})


def _is_referrers_index(reference: str) -> bool:
    return bool(re.fullmatch(r"sha\d{3}-[0-9a-f]{64}", reference))


def _problem(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Answer(status=status, headers={"Content-Type": "application/json", **(headers or {})}, body=body)
