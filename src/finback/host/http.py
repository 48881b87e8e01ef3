"""HTTP: bounded, retried, resumed. Credentials in URLs are never shown."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.host import clock, environment
from finback.host.store import CHUNK, Store

ATTEMPTS = 4
CONNECT_SECONDS = 15
READ_SECONDS = 60
MAX_WAIT = 60
REDIRECTS = 5
RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


def redacted(url: str) -> str:
    """*url* without user and password."""
    return re.sub(r"//[^/?#\s]*@", "//", url)


class Fetcher:
    """Gets things from the web, with a pool of connections."""

    def __init__(self) -> None:
        self._pools: dict[str, Any] = {}

    def get(self, url: str, *, limit: int, expect: Digest | None = None) -> bytes:
        """The body at *url*.

        Raises:
            FinbackError: F201 unreachable, F202 refused, F302 larger than *limit*, F301 not the bytes of *expect*.

        """
        data = bytearray()
        for chunk in self._stream(url):
            data += chunk
            if len(data) > limit:
                raise error(
                    "F302", f"{redacted(url)} has more than {limit} bytes", help="what sent it is faulty or hostile"
                )
        if expect is not None and (found := Digest.of(memoryview(data))) != expect:
            raise error(
                "F301",
                f"{redacted(url)} is not what its index says: expected {expect}, got {found}",
                help="the mirror is being updated or is faulty; try again later, or set FINBACK_MIRROR to another",
            )
        return bytes(data)

    def download(self, url: str, store: Store, expect: Digest, size: int) -> None:
        """Put the *size* bytes at *url* into the store, unless they are there.

        Raises:
            FinbackError: as `get`; F403, F404 or F405, the store can't be written.

        """
        if store.has(expect):
            return
        try:
            with store.ingest(expect, limit=size) as ingest:
                for chunk in self._stream(url):
                    ingest.write(chunk)
        except FinbackError as failure:
            # The store does not know where the bytes came from.
            failure.diagnostics = tuple(
                replace(d, notes=(*d.notes, f"from {redacted(url)}")) if d.code in ("F301", "F302") else d
                for d in failure.diagnostics
            )
            raise

    def _stream(self, url: str) -> Iterator[bytes]:
        """The body in chunks, taken up again where it broke off."""
        transfer = _Transfer(url)
        attempt = 0
        while True:
            before = transfer.done
            try:
                yield from self._once(transfer)
            except _TransientError as failure:
                # A transfer that gets on is not given up.
                attempt = 1 if transfer.done >= before + CHUNK else attempt + 1
                if attempt == ATTEMPTS:
                    raise _unreachable(url, failure.reason) from None
                time.sleep(failure.wait if failure.wait is not None else 0.3 * 3 ** (attempt - 1))
            else:
                return

    def _once(self, transfer: _Transfer) -> Iterator[bytes]:
        from urllib3 import Retry
        from urllib3.exceptions import HTTPError

        pool, headers = self._pool(transfer.url)
        # Only redirects are its business: when to try again is decided above.
        retries = Retry(total=None, connect=0, read=0, status=0, other=0, redirect=REDIRECTS)
        try:
            response = pool.request(
                "GET", transfer.url, headers={**headers, **transfer.headers()}, preload_content=False, retries=retries
            )
            try:
                self._check(transfer, response)
                yield from transfer.body(response)
            finally:
                response.close()
        except HTTPError as failure:
            raise _translated(transfer.url, failure) from None

    def _check(self, transfer: _Transfer, response: Any) -> None:
        if response.status in RETRY_STATUSES:
            raise _TransientError(f"status {response.status}", _retry_after(response.headers.get("Retry-After", "")))
        if response.status not in ((200, 206) if transfer.done else (200,)):
            raise error(
                "F202",
                f"{redacted(transfer.url)}: the server answered {response.status} {response.reason or ''}".rstrip(),
                help="check the address, and FINBACK_MIRROR if it is set",
            )

    def _pool(self, url: str) -> tuple[Any, dict[str, str]]:
        """The pool of connections for *url*, and the headers that every request for it has."""
        from urllib3 import PoolManager, ProxyManager, Timeout
        from urllib3.exceptions import LocationParseError
        from urllib3.util import make_headers, parse_url

        try:
            parsed = parse_url(url)
        except LocationParseError:
            raise _no_address(url) from None
        scheme = parsed.scheme or ""
        if scheme not in ("http", "https") or not parsed.host:
            raise _no_address(url)
        proxy = _proxy(scheme, parsed.host, parsed.port)
        key = proxy or ""
        if key not in self._pools:
            settings: dict[str, Any] = {
                "timeout": Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                "maxsize": 8,
            }
            if proxy:
                user = parse_url(proxy).auth
                secret = make_headers(proxy_basic_auth=unquote(user)) if user else None
                self._pools[key] = ProxyManager(proxy, proxy_headers=secret, **settings)
            else:
                self._pools[key] = PoolManager(**settings)
        headers = {"accept-encoding": "identity", "user-agent": "finback"}
        if parsed.auth:
            # urllib3 takes it off again when it is sent to another host.
            headers |= make_headers(basic_auth=unquote(parsed.auth))
        return self._pools[key], headers


class _Transfer:
    """How far the body of one URL has come, over as many answers as it takes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.done = 0
        self._version = ""
        """The validator that the first answer gave: a later one with another is of other bytes."""

    def headers(self) -> dict[str, str]:
        """What to ask for next."""
        if not self.done:
            return {}
        only = {"If-Range": self._version} if self._version and not self._version.startswith("W/") else {}
        return {"Range": f"bytes={self.done}-", **only}

    def body(self, response: Any) -> Iterator[bytes]:
        """What *response* adds.

        Raises:
            FinbackError: F201, it is not a continuation of what came before.

        """
        skipped = self._start(response)
        announced = response.headers.get("Content-Length")
        got = 0
        for chunk in response.stream(CHUNK):
            got += len(chunk)
            fresh = chunk[max(0, len(chunk) - (got - skipped)) :] if got > skipped else b""
            if fresh:
                self.done += len(fresh)
                yield fresh
        if announced and announced.isdecimal() and got < int(announced):
            raise _TransientError("the connection ended early")

    def _start(self, response: Any) -> int:
        """How many bytes of *response* are there already: it is a continuation, or the whole once more."""
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        if not self.done:
            self._version = version
            return 0
        if version != self._version:
            raise _unreachable(self.url, "the transfer broke, and the file has changed since")
        if response.status == 200:
            return self.done
        if not response.headers.get("Content-Range", "").startswith(f"bytes {self.done}-"):
            raise _unreachable(self.url, "the transfer broke, and the server resumed it at the wrong place")
        return 0


class _TransientError(Exception):
    """Worth another try, after `wait` seconds when the server says so."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


def _retry_after(text: str) -> float | None:
    """The seconds that a server asks to wait, at most a minute. Source: RFC 9110, section 10.2.3."""
    if text.isdecimal():
        return float(min(int(text[:9]), MAX_WAIT))
    try:
        when = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(when - clock.now(), 0.0), MAX_WAIT)


def _proxy(scheme: str, host: str, port: int | None) -> str | None:
    skipped = (environment.lookup("no_proxy") or environment.lookup("NO_PROXY") or "").split(",")
    for name in (n.strip().lstrip(".") for n in skipped if n.strip()):
        if name in ("*", host, f"{host}:{port}") or host.endswith("." + name):
            return None
    variable = f"{scheme}_proxy"
    # In upper case only for HTTPS: a CGI server would take HTTP_PROXY from a client's header.
    found = environment.lookup(variable) or (environment.lookup(variable.upper()) if scheme == "https" else None)
    found = found or environment.lookup("all_proxy") or environment.lookup("ALL_PROXY")
    return found if found is None or "://" in found else f"http://{found}"


def _translated(url: str, failure: Exception) -> Exception:
    """What urllib3's *failure* means: another try, or none."""
    from urllib3.exceptions import MaxRetryError, ProxySchemeUnknown, ResponseError, SSLError, URLSchemeUnknown

    inner = failure.reason if isinstance(failure, MaxRetryError) and failure.reason else failure
    if isinstance(inner, SSLError):
        return error(
            "F204",
            f"{redacted(url)}: the server's certificate is not accepted: {_reason(inner)}",
            help="check the date of this machine and its certificates (SSL_CERT_FILE), and any proxy",
        )
    if isinstance(inner, (ResponseError, URLSchemeUnknown)):
        return error(
            "F202", f"{redacted(url)} redirects to where it can't be followed: {_reason(inner)}",
            help="check the address, and FINBACK_MIRROR if it is set",
        )  # fmt: skip
    if isinstance(inner, ProxySchemeUnknown):
        return error("F203", f"the proxy is no address: {_reason(inner)}", help="write http://HOST:PORT")
    return _TransientError(_reason(inner))


def _reason(failure: Exception) -> str:
    text = str(getattr(failure, "reason", None) or failure)
    return re.sub(r"^.*?Connection object at 0x[0-9a-f]+>?[:,)]* *", "", redacted(text))


def _no_address(url: str) -> FinbackError:
    return error("F203", f"{redacted(url)!r} is not an address", help="give a URL like http://HOST/PATH")


def _unreachable(url: str, reason: str) -> FinbackError:
    return error(
        "F201",
        f"{redacted(url)} can't be reached: {reason}",
        help="check the network and any proxy; FINBACK_MIRROR names another Debian mirror",
    )
