"""The client of the web, against servers that hold on to it, and what it makes of headers."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.ground.diagnostic import FinbackError
from finback.host import web
from finback.host.patience import Patience, Security
from finback.host.web import Client, Request, Upload

SHORT = Patience(attempts=2, connect=1, read=0.3, window=0.3, slowest=1000, pause=0.01)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def server(talk: Callable[[socket.socket], None], until: bytes = b"\r\n\r\n") -> Iterator[str]:
    """A server that does *talk* with whoever connects and says what ends with *until*, one after another."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with suppress(OSError):
                    connection, _ = listening.accept()
                    with connection:
                        connection.settimeout(2)
                        said = b""
                        while not said.endswith(until) and (piece := connection.recv(1 << 16)):
                            said += piece
                        talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/x"
        finally:
            ended.set()
            thread.join()


def trickle(connection: socket.socket) -> None:
    """A head that never ends, always with a little more of it."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(100):
        connection.sendall(b"X: y\r\n")
        time.sleep(0.05)


def silence(connection: socket.socket) -> None:
    time.sleep(0.5)


def garbage(connection: socket.socket) -> None:
    connection.sendall(b"\0\1\2\r\n\r\n")


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 1000)


@pytest.mark.parametrize("talk", [trickle, silence, garbage])
def test_a_server_that_holds_on_is_let_go(talk: Callable[[socket.socket], None]) -> None:
    began = time.monotonic()
    with server(talk) as url:
        with pytest.raises(FinbackError) as failure:
            Client(SHORT).ask(Request(url=url), limit=100)
        assert time.monotonic() - began < 4
    assert failure.value.diagnostics[0].code == "F201"


def test_an_answer_without_end_is_cut() -> None:
    with server(endless) as url, pytest.raises(FinbackError) as failure:
        Client(SHORT).ask(Request(url=url), limit=100_000)
    assert failure.value.diagnostics[0].code == "F302"


def test_what_is_sent_is_read_anew_for_every_try() -> None:
    tries: list[int] = []

    def once_busy(connection: socket.socket) -> None:
        tries.append(1)
        status = b"503 Busy" if len(tries) == 1 else b"200 OK"
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    body = Upload(read=lambda: iter([b"one", b"two"]), size=6)
    with server(once_busy, until=b"onetwo") as url:
        assert Client(SHORT).ask(Request(url=url, method="PUT", body=body), limit=1).status == 200
    assert len(tries) == 2


def refuse_in_plain_text(connection: socket.socket) -> None:
    """As Go's servers answer the greeting of TLS."""
    connection.recv(1 << 16)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def end_at_once(connection: socket.socket) -> None:
    connection.recv(1 << 16)


def alert(connection: socket.socket) -> None:
    """As OpenSSL answers a request of HTTP."""
    connection.sendall(b"\x15\x03\x01\x00\x02\x02\x50")


def test_a_server_without_tls_is_told_from_one_with_a_bad_certificate() -> None:
    with server(refuse_in_plain_text, until=b"") as url, pytest.raises(FinbackError) as failure:
        Client(SHORT, unencrypted="use http://{host}").ask(Request(url=f"https{url[4:]}"), limit=100)
    (found,) = failure.value.diagnostics
    assert (found.code, found.help) == ("F210", f"use {url[:-2]}")
    with server(end_at_once, until=b"") as url, pytest.raises(FinbackError) as failure:
        Client(SHORT).ask(Request(url=f"https{url[4:]}"), limit=100)
    assert failure.value.diagnostics[0].code == "F201"
    with server(alert) as url, pytest.raises(FinbackError, match="speaks TLS") as failure:
        Client(SHORT).ask(Request(url=url), limit=100)
    assert failure.value.diagnostics[0].code == "F210"


def test_a_body_that_was_compressed_on_the_way() -> None:
    def talk(body: bytes) -> Callable[[socket.socket], None]:
        length = f"Content-Length: {len(body)}\r\nConnection: close"
        head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n{length}\r\n\r\n".encode()
        return lambda connection: connection.sendall(head + body)

    with server(talk(gzip.compress(b"{}"))) as url:
        assert Client(SHORT).ask(Request(url=url), limit=100).body == b"{}"
    for body in (gzip.compress(bytes(1000)), b"{}", gzip.compress(b"{}")[:-4]):
        with server(talk(body)) as url, pytest.raises(FinbackError) as failure:
            Client(SHORT).ask(Request(url=url), limit=100)
        assert failure.value.diagnostics[0].code == "F302"


@pytest.mark.parametrize(
    ("given", "host", "port", "skipped"),
    [
        ("", "a.example", 80, False), ("a.example", "a.example", 80, True), ("a.example", "x.a.example", 80, True),
        (".a.example", "x.a.example", 80, True), ("*.a.example", "x.a.example", 80, True),
        ("a.example:81", "a.example", 80, False), ("a.example:81", "a.example", 81, True), ("*", "a.example", 80, True),
        ("b, A.Example", "a.example", 80, True), ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False), ("fd00::/8", "[fd12::1]", 80, True),
        ("[fd12::1]", "[fd12::1]", 80, True), ("fd12::1", "[fd12::1]", 443, True),
        ("10.0.0.0/99", "10.1.2.3", 80, False), ("a.example", "ba.example", 80, False), ("", "localhost", 80, True),
        ("", "127.3.2.1", 5000, True), ("", "[::1]", 80, True), ("", "x.localhost", 80, True),
        (".", "a.example", 80, False),
    ],
)  # fmt: skip
def test_what_is_reached_without_a_proxy(
    given: str, host: str, port: int, skipped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finback.host import connection

    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", given)
    assert (connection._proxy("http", host, port) == "") == skipped


@pytest.mark.parametrize(
    ("answer", "code", "said", "help"),
    [
        (b"HTTP/1.1 407 Who\r\n\r\n", "F201", "answers 407 Who", "NAME:PASSWORD@HOST"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "F201", "answers 403 Forbidden", "registry.test into NO_PROXY"),
        (b"HTTP/1.1 502 Bad\r\n\r\n", "F201", "answers 502 Bad", "check the network"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n<html></html>", "F210", "or the proxy", "check the proxy"),
    ],
    ids=["name and password", "forbidden", "out of order", "a page in place of TLS"],
)
def test_a_proxy_that_does_not_lead_there_is_named(
    answer: bytes, code: str, said: str, help: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def talk(connection: socket.socket) -> None:
        head, end, page = answer.partition(b"\r\n\r\n")
        connection.sendall(head + end)
        if page:
            connection.recv(1 << 16)
            connection.sendall(page)

    with server(talk) as url:
        host = url.split("/")[2]
        monkeypatch.setenv("https_proxy", f"http://me:s3cret@{host}")
        with pytest.raises(FinbackError) as failure:
            Client(SHORT).ask(Request(url="https://registry.test/v2/"), limit=100)
    (found,) = failure.value.diagnostics
    assert (found.code, host in found.message, "s3cret" in str(found)) == (code, True, False)
    assert said in found.message
    assert help in found.help


@pytest.mark.parametrize(
    ("proxy", "code", "said"),
    [
        ("http://[", "F203", "no address"),
        ("http://host:99999", "F203", "no address"),
        ("socks5://127.0.0.1:1080", "F203", "no address"),
        ("http://127.0.0.1:1", "F201", "the proxy 127.0.0.1:1: "),
    ],
)
def test_a_proxy_that_is_none(proxy: str, code: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(FinbackError) as failure:
        Client(SHORT).ask(Request(url="https://registry.test/v2/"), limit=100)
    (found,) = failure.value.diagnostics
    assert found.code == code
    assert said in found.message


@pytest.mark.parametrize("length", ["xyz", "-5", "1e3", "0x3"])
def test_an_answer_without_an_end_is_not_waited_for(length: str) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nabc".encode())
        time.sleep(0.2)

    with server(talk) as url, pytest.raises(FinbackError) as failure:
        Client(SHORT).ask(Request(url=url), limit=100)
    (found,) = failure.value.diagnostics
    assert found.code == "F201"
    assert "how long" in found.message


def test_a_connection_that_is_closed_is_told_in_words() -> None:
    with server(lambda connection: None) as url, pytest.raises(FinbackError) as failure:
        Client(SHORT).ask(Request(url=url), limit=100)
    (found,) = failure.value.diagnostics
    assert found.code == "F201"
    assert "closed connection" in found.message
    assert "('" not in found.message


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/y", "https://a.example/y"),
        ("https://b.example/y?s=1#part", "https://b.example/y?s=1"),
        ("https://me:pass@b.example/y", "https://b.example/y"),
        ("//b.example/y", "https://b.example/y"),
    ],
)
def test_redirects_are_followed_without_what_they_carry(location: str, target: str) -> None:
    assert Client()._target("https://a.example/x", location, 1) == target


@pytest.mark.parametrize("location", ["http://a.example/x", "file:///etc/passwd", "ftp://a.example/"])
def test_redirects_do_not_lead_out_of_tls(location: str) -> None:
    with pytest.raises(FinbackError) as failure:
        Client()._target("https://a.example/x", location, 1)
    assert failure.value.diagnostics[0].code == "F202"


@given(st.text(max_size=40) | st.integers().map(str))
def test_any_retry_after_is_a_time_or_none(text: str) -> None:
    found = web.retry_after(text)
    assert found is None or found >= 0


def test_an_authority_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    for path in (tmp_path / "ca.pem", tmp_path / "none.pem"):
        with pytest.raises(FinbackError) as failure:
            Client(SHORT, Security(authorities=(path,))).ask(Request(url="https://127.0.0.1:9/"), limit=1)
        assert failure.value.diagnostics[0].code == "F512"


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://a/", "http://", "http://[::1", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(FinbackError) as failure:
        Client(SHORT).ask(Request(url=url), limit=1)
    assert failure.value.diagnostics[0].code == "F203"


def test_one_thread_alone_imports_what_imports_itself_in_circles() -> None:
    script = """
import sys, threading, time
from finback.ground.diagnostic import FinbackError
from finback.host.patience import Patience
from finback.host.web import Client, Request

class Slow:
    importers = set()

    def find_spec(self, name, path=None, target=None):
        if name.startswith("urllib3"):
            self.importers.add(threading.get_ident())
            time.sleep(0.005)

assert "urllib3" not in sys.modules
sys.meta_path.insert(0, Slow())
said = []

def ask():
    for _ in range(3):
        try:
            Client(Patience(attempts=1, connect=1, read=1)).ask(Request(url="http://127.0.0.1:1/"), limit=1)
        except FinbackError as failure:
            said.append(failure.diagnostics[0].code)

threads = [threading.Thread(target=ask) for _ in range(40)]
for thread in threads:
    # The next begins when some of it is there.
    thread.start()
    time.sleep(0.002)
for thread in threads:
    thread.join()
assert said == ["F201"] * 120, said
assert len(Slow.importers) == 1
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
