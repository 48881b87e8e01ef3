from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.host import http, web
from finback.host.store import Store

BODY = bytes(range(256)) * 2000


class Faulty(BaseHTTPRequestHandler):
    seen: ClassVar[dict[str, int]] = {}

    def do_GET(self) -> None:
        count = self.seen[self.path] = self.seen.get(self.path, 0) + 1
        start = int(self.headers.get("Range", "bytes=0-")[6:].split("-")[0])
        if self.path == "/missing":
            return self.send_error(404)
        if self.path == "/busy" and count < 3:
            self.send_response(429)
            self.send_header("Retry-After", "0")
            self.end_headers()
            return None
        body = BODY[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/cut" and count < 3:
            self.wfile.write(body[:1000])
            self.wfile.flush()
            self.connection.close()
            return None
        self.wfile.write(body)
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Faulty.seen.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Faulty) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.time, "sleep", lambda _: None)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("path", ["/ok", "/busy", "/cut"])
def test_a_body_comes_whole_after_faults(server: str, path: str, store: Store) -> None:
    assert http.Fetcher().get(server + path, limit=len(BODY), expect=Digest.of(BODY)) == BODY
    Faulty.seen.clear()
    http.Fetcher().download(server + path, store, Digest.of(BODY), len(BODY))
    assert store.read(Digest.of(BODY)) == BODY


@pytest.mark.parametrize(
    ("path", "limit", "expect", "code"),
    [("/missing", 10, None, "F202"), ("/ok", 10, None, "F302"), ("/ok", 1 << 20, Digest.of(b""), "F301")],
)
def test_what_is_wrong_is_said(server: str, path: str, limit: int, expect: Digest | None, code: str) -> None:
    with pytest.raises(FinbackError) as failure:
        http.Fetcher().get(server + path, limit=limit, expect=expect)
    assert failure.value.diagnostics[0].code == code


def test_nobody_there_and_no_address() -> None:
    with pytest.raises(FinbackError) as failure:
        http.Fetcher().get("http://user:secret@127.0.0.1:9/x", limit=1)
    assert failure.value.diagnostics[0].code == "F201"
    assert "secret" not in str(failure.value)
    assert failure.value.status == 3
    with pytest.raises(FinbackError) as failure:
        http.Fetcher().get("nonsense", limit=1)
    assert failure.value.diagnostics[0].code == "F203"
