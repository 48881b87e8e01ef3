"""Connections: pools of them, their certificates, the proxies on the way, and a watch over answers that dawdle.

urllib3 takes 50 ms to import, so this module is imported by those who are about to use the network.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import InsecureRequestWarning, ProtocolError
from urllib3.util import make_headers, parse_url

from finback.ground.diagnostic import error
from finback.host import environment
from finback.host.patience import Patience, Security

POOL_SIZE = 8
# The longest silence while we send. urllib3 would take the time for connecting, which is short.
SENDING_SECONDS = 120


class Pools:
    """The pools of connections of one client, by proxy and by whether certificates are checked."""

    def __init__(self, patience: Patience, security: Security) -> None:
        self._patience = patience
        self._security = security
        self._pools: dict[tuple[str, bool], urllib3.PoolManager] = {}
        self._gate = threading.Lock()

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, seconds: float | None
    ) -> urllib3.BaseHTTPResponse:
        """One exchange, without redirects or second tries. The answer may be silent for *seconds*."""
        patience = self._patience
        timeout = urllib3.Timeout(connect=patience.connect, read=seconds or patience.read)
        return self._pool(url).request(
            method, url, headers=headers, body=body, timeout=timeout,
            preload_content=False, decode_content=False, retries=False, redirect=False,
        )  # fmt: skip

    def _pool(self, url: str) -> urllib3.PoolManager:
        key = (proxy_of(url), parse_url(url).netloc in self._security.unchecked)
        with self._gate:
            if key not in self._pools:
                self._pools[key] = self._open(*key)
            return self._pools[key]

    def _open(self, proxy: str, unchecked: bool) -> urllib3.PoolManager:  # noqa: FBT001
        settings: dict[str, Any] = {"maxsize": POOL_SIZE, "ssl_context": self._context(unchecked=unchecked)}
        pool: urllib3.PoolManager
        if proxy:
            user = parse_url(proxy).auth
            secret = make_headers(proxy_basic_auth=unquote(user)) if user else None
            pool = urllib3.ProxyManager(proxy, proxy_headers=secret, **settings)
        else:
            pool = urllib3.PoolManager(**settings)
        pool.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}
        return pool

    def _context(self, *, unchecked: bool) -> ssl.SSLContext:
        context = ssl.create_default_context()
        for path in self._security.authorities:
            try:
                context.load_verify_locations(path)
            except OSError as failure:
                raise error(
                    "F512",
                    f"{path} can't be used as a certificate authority: {failure.strerror or failure}",
                    help="give a file with certificates in PEM form",
                ) from None
        if unchecked:
            # Only for hosts that the user has named, so that a warning at each request would say nothing new.
            urllib3.disable_warnings(InsecureRequestWarning)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class _Watch:
    """Cuts a connection off when the head of its answer is not complete in twice the time of a silence.

    The time-out of a socket begins anew with every byte, which a server can use to hold on to its clients.
    """

    def __init__(self, connection: HTTPConnection) -> None:
        self._sock = connection.sock
        self._timer = threading.Timer(2 * float(connection.timeout or 0), self._cut)
        self._timer.daemon = True
        self._late = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._late:
            # http.client takes the end of the connection for the end of the head.
            raise ProtocolError("the head of the answer does not end")

    def _cut(self) -> None:
        self._late = True
        with suppress(OSError):
            if self._sock is not None:
                self._sock.shutdown(socket.SHUT_RDWR)


def _send_patiently(connection: HTTPConnection) -> None:
    if connection.sock is not None:
        connection.sock.settimeout(SENDING_SECONDS)


class _Plain(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _send_patiently(self)

    def getresponse(self) -> Any:
        with _Watch(self):
            return super().getresponse()


class _Encrypted(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _send_patiently(self)

    def getresponse(self) -> Any:
        with _Watch(self):
            return super().getresponse()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address without port and brackets, is this machine."""
    return host == "localhost" or host.endswith(".localhost") or bool((found := _address(host)) and found.is_loopback)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _names(entry: str, host: str, port: int | None) -> bool:
    """Whether an entry of `no_proxy` is for *host*: a name and what is below it, an address, or a network.

    Source: golang.org/x/net/http/httpproxy, `Config.NoProxy`.
    """
    address = _address(host)
    if address is not None and "/" in entry:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name = entry.removeprefix("*").lstrip(".") if entry != "*" else entry
    if not name:
        return False
    return name in ("*", host, f"[{host}]", f"{host}:{port}", f"[{host}]:{port}") or host.endswith("." + name)


def proxy_of(url: str) -> str:
    """The proxy through which *url* is asked, or ""."""
    parsed = parse_url(url)
    return _proxy(parsed.scheme or "", parsed.host or "", parsed.port)


def _proxy(scheme: str, host: str, port: int | None) -> str:
    """The proxy that the environment names for a host, or ""."""
    skipped = (environment.lookup("no_proxy") or environment.lookup("NO_PROXY") or "").split(",")
    bare = host.strip("[]").lower()
    if is_loopback(bare) or any(_names(n.strip().lower(), bare, port) for n in skipped):
        return ""
    variable = f"{scheme}_proxy"
    # In upper case only for HTTPS: a CGI server would take HTTP_PROXY from a client's header.
    found = environment.lookup(variable) or (environment.lookup(variable.upper()) if scheme == "https" else None)
    found = found or environment.lookup("all_proxy") or environment.lookup("ALL_PROXY") or ""
    return found if not found or "://" in found else f"http://{found}"
