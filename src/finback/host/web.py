"""HTTP for whatever is fetched or sent: pooled, bounded, redirected, tried again, taken up where it broke off.

Credentials go to the host that they are for and to no other, and are never shown.

Source: RFC 9110, HTTP semantics.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin, urlsplit

from finback.ground.diagnostic import FinbackError, error
from finback.ground.event import Emit, silent, task
from finback.host import clock
from finback.host.patience import Patience, Security
from finback.host.store import CHUNK
from finback.host.transfer import BrokenError, Transfer, TransientError, paced

if TYPE_CHECKING:
    from finback.host.connection import Pools

REDIRECTS = 5
# Characters of an address in a message.
SHOWN = 200
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
# A wait that is said; shorter ones are over before anybody wonders.
NOTICED = 2.0
# The beginning of a web page; anything else may be called one by mistake.
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|script|meta|\?xml)", re.IGNORECASE)
# What OpenSSL makes of an answer in plain text.
_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL"})
# Otherwise nobody knows where the answer ends. Source: RFC 9110, section 8.6.
_LENGTH = re.compile(r"(?:[0-9]+(?:[ \t]*,[ \t]*[0-9]+)*)?\Z")
# What is read of an answer that is not wanted, so that its connection can be used again.
DRAINED = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A body of known size that can be read anew for every attempt."""

    read: Callable[[], Iterator[bytes]]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A question for a server."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Upload | None = None
    seconds: float | None = None
    """How long the server may be silent over it; default: as `Patience.read`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, whole."""

    url: str
    """Where it came from after redirects."""
    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes = b""


class Guard(Protocol):
    """Proves who asks."""

    def headers(self) -> Mapping[str, str]:
        """What to add to a request."""

    def renew(self, headers: Mapping[str, str]) -> bool:
        """Look for better proof after an answer 401 with *headers*; whether another try makes sense."""


def redacted(url: str) -> str:
    """*url* without user and password, and without a query, which may be a signature."""
    return re.sub(r"\?\S*", "", re.sub(r"//[^/?#\s]*@", "//", url))


def is_page(reply: Reply) -> bool:
    """Whether the answer is a web page, which nothing that finback asks for is."""
    return _is_page(reply.headers, reply.body)


def resolved(base: str, location: str) -> str | None:
    """The address that *location*, which may be relative, is as seen from *base*; None when it is none."""
    try:
        found = urljoin(base, location)
        # Its parts are looked at later, by code that expects them to be there.
        _ = urlsplit(found).port
    except ValueError:
        return None
    return found


class Client:
    """Asks servers. *remedy* is what its users can do when one does not answer, *unencrypted* how they say that a
    server, `{host}` in that text, has no TLS. Waits are reported to *emit*.
    """

    def __init__(
        self,
        patience: Patience | None = None,
        security: Security | None = None,
        remedy: str = "check the address",
        unencrypted: str = "write http:// in its address",
        emit: Emit = silent,
    ) -> None:
        self._patience = patience or Patience()
        self._security = security or Security()
        self._remedy = remedy
        self._unencrypted = unencrypted
        self._emit = emit
        self._opened: Pools | None = None
        self._silent: dict[tuple[str, str, int], tuple[float, str]] = {}
        """Servers to which there was no connection in all attempts: until when that is taken for granted, and why."""

    def ask(self, request: Request, *, limit: int, guard: Guard | None = None) -> Reply:
        """The whole answer, whatever its status. What fails for now is tried again, unless the server asks to wait
        longer than `Patience.longest_pause`.

        Raises:
            FinbackError: F200 a web page in its place, F201 unreachable, F202 a redirect that can't be followed, F203
                no address, F204 a certificate that is not accepted, F210 only one of both sides speaks TLS, F302 larger
                than *limit*.

        """
        self._raise_if_silent(request.url)
        attempt = 1
        while True:
            try:
                with self._sent(request, guard) as (url, response):
                    self._raise_if_busy(response, attempt)
                    body = self._whole(response, url, limit)
                    reply = Reply(url=url, status=response.status, headers=response.headers, body=body)
                    if response.status == 200 and is_page(reply):
                        raise self._page(url)
                    return reply
            except TransientError as failure:
                self._pause(request, failure, attempt)
                attempt += 1

    def stream(
        self,
        request: Request,
        *,
        refused: Callable[[Reply], FinbackError],
        guard: Guard | None = None,
        pinned: bool = False,
    ) -> Iterator[bytes]:
        """The body in chunks, taken up again where it broke off; *pinned*: its reader knows its digest.

        Raises:
            FinbackError: as `ask`; what *refused* makes of an answer with another status.

        """
        self._raise_if_silent(request.url)
        transfer = Transfer(self._patience, pinned=pinned)
        attempt = 1
        while True:
            before = transfer.done
            ranged = Request(url=request.url, headers={**request.headers, **transfer.headers()})
            try:
                with self._sent(ranged, guard) as (url, response):
                    self._raise_if_busy(response, attempt)
                    if response.status not in ((200, 206) if transfer.done else (200,)):
                        body = self._whole(response, url, DRAINED, cut=True)
                        raise refused(Reply(url=url, status=response.status, headers=response.headers, body=body))
                    yield from self._without_page(transfer.body(response), response.headers, url)
                    return
            except TransientError as failure:
                # A transfer that gets on is not given up.
                attempt = 1 if transfer.done >= before + CHUNK else attempt
                self._pause(request, failure, attempt)
                attempt += 1
            except BrokenError as failure:
                raise self._unreachable(request.url, str(failure)) from None

    def _without_page(self, chunks: Iterator[bytes], headers: Mapping[str, str], url: str) -> Iterator[bytes]:
        first = next(chunks, b"")
        if _is_page(headers, first):
            raise self._page(url)
        yield first
        yield from chunks

    def _raise_if_busy(self, response: Any, attempt: int) -> None:
        """Have it tried again, if the server may soon have time."""
        if response.status not in RETRY_STATUSES or attempt >= self._patience.attempts:
            return
        wait = retry_after(response.headers.get("Retry-After", ""))
        if wait is None or wait <= self._patience.longest_pause:
            raise TransientError(f"status {response.status}", wait)

    @contextmanager
    def _sent(self, request: Request, guard: Guard | None) -> Iterator[tuple[str, Any]]:
        """The answer's head; redirects are followed, and one challenge is answered."""
        # All of urllib3 before any part of it: its modules import one another, and threads that began with different
        # ones could stop there.
        import finback.host.connection  # noqa: F401, I001
        from urllib3.exceptions import HTTPError

        response: Any = None
        try:
            url, response = self._follow(request, guard)
            yield url, response
        except HTTPError as failure:
            raise self._translated(request.url, failure) from None
        finally:
            if response is not None:
                # A connection with unread bytes can't be used again; urllib3 sees whether there are any.
                response.close()

    def _follow(self, request: Request, guard: Guard | None) -> tuple[str, Any]:
        from urllib3.exceptions import HTTPError

        url, hops, renewed = request.url, 0, False
        while True:
            secret = guard.headers() if guard else {}
            try:
                response = self._once(request, url, secret)
            except HTTPError as failure:
                # With the address that was asked, which may be that of a redirect.
                raise self._translated(url, failure) from None
            if not _LENGTH.match(response.headers.get("Content-Length", "")):
                response.close()
                raise self._unreachable(url, "the answer does not say in digits how long it is")
            if response.status == 401 and guard and not renewed:
                headers = response.headers
                _drain(response)
                renewed = True
                if guard.renew(headers):
                    continue
                # Its body is gone by now; nobody needs it.
                return url, response
            target = response.headers.get("Location")
            if response.status not in REDIRECT_STATUSES or not target or request.method not in ("GET", "HEAD"):
                return url, response
            _drain(response)
            hops += 1
            following = self._target(url, target, hops)
            if _origin(following) != _origin(url):
                # What proves us to one server is nobody else's business, also on a detour back.
                guard = None
            url = following

    def _once(self, request: Request, url: str, secret: Mapping[str, str]) -> Any:
        headers = {"Accept-Encoding": "identity", "User-Agent": "finback", **request.headers, **secret}
        body: Any = request.body
        if isinstance(body, Upload):
            headers["Content-Length"] = str(body.size)
            body = body.read()
        return self._pools(url).request(request.method, url, headers, body, request.seconds)

    def _pools(self, url: str) -> Pools:
        from urllib3.exceptions import LocationParseError
        from urllib3.util import parse_url

        from finback.host.connection import Pools

        try:
            parsed = parse_url(url)
        except LocationParseError:
            raise _no_address(url) from None
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise _no_address(url)
        if self._opened is None:
            self._opened = Pools(self._patience, self._security)
        return self._opened

    def _target(self, url: str, location: str, hops: int) -> str:
        target = re.sub(r"#.*|(?<=//)[^/?]*@", "", resolved(url, location) or location)
        scheme = target.partition(":")[0].lower()
        if resolved(url, target) is None:
            reason = f"{redacted(target)[:SHOWN]!r} is no web address"
        elif hops > REDIRECTS:
            reason = "there are too many redirects"
        elif scheme not in ("http", "https"):
            reason = f"{redacted(target)} is no web address"
        elif scheme == "http" and url.lower().startswith("https:"):
            reason = f"{redacted(target)} is not encrypted"
        else:
            return target
        raise error("F202", f"{redacted(url)} redirects to where it can't be followed: {reason}", help=self._remedy)

    def _whole(self, response: Any, url: str, limit: int, *, cut: bool = False) -> bytes:
        data = bytearray()
        for chunk in _decoded(paced(response, self._patience), response.headers, url, limit):
            data += chunk
            if len(data) > limit:
                if cut:
                    break
                raise error(
                    "F302", f"{redacted(url)} has more than {limit} bytes", help="what sent it is faulty or hostile"
                )
        return bytes(data[:limit])

    def _pause(self, request: Request, failure: TransientError, attempt: int) -> None:
        if attempt >= self._patience.attempts:
            if failure.silent is not None:
                self._silent[failure.silent] = (time.monotonic() + self._patience.window, failure.reason)
            raise self._unreachable(request.url, failure.reason) from None
        seconds = failure.wait if failure.wait is not None else self._patience.pause * 3 ** (attempt - 1)
        if seconds < NOTICED:
            time.sleep(seconds)
            return
        why = "asks to wait" if failure.wait is not None else "is tried again in"
        title = f"{_host(request.url)} {why} {seconds:.0f} s ({failure.reason})"
        with task(self._emit, f"wait {redacted(request.url)}", title):
            time.sleep(seconds)

    def _translated(self, url: str, failure: Exception) -> Exception:
        """What urllib3's *failure* means: another try, or none."""
        from urllib3.exceptions import (
            ConnectTimeoutError,
            LocationParseError,
            NewConnectionError,
            ProxyError,
            ProxySchemeUnknown,
            SSLError,
        )

        inner: Any = failure.original_error if isinstance(failure, ProxyError) else failure
        if isinstance(failure, ProxyError):
            found = self._refused_by_proxy(url, inner)
            if found is not None:
                return found
        if isinstance(inner, SSLError):
            return self._insecure(url, inner, to_proxy=inner is not failure)
        if _is_alert(inner):
            return error(
                "F210",
                f"{redacted(url)}: the server speaks TLS, and was asked without",
                help="write https:// in its address, or leave `--insecure` out",
            )
        # The address that is asked has been read before; what can't be is the proxy's.
        if isinstance(inner, (ProxySchemeUnknown, LocationParseError)):
            return error("F203", f"the proxy is no address: {_reason(inner)}", help="write http://HOST:PORT")
        silent = _origin(url) if isinstance(inner, (NewConnectionError, ConnectTimeoutError)) else None
        where = f"the proxy {_proxy_host(url)}: " if inner is not failure else ""
        return TransientError(where + _reason(inner), silent=silent)

    def _refused_by_proxy(self, url: str, failure: Exception) -> Exception | None:
        """What a proxy means that answers and makes no connection; None where it did not answer."""
        answer = re.search(r"Tunnel connection failed: (\d+) ?(.*)", str(failure))
        if answer is None:
            return None
        said = f"the proxy {_proxy_host(url)} answers {answer[1]} {answer[2]}".rstrip()
        if int(answer[1]) in RETRY_STATUSES:
            return TransientError(said)
        advice = f"ask who runs the proxy, or write {_host(url)} into NO_PROXY; {self._remedy}"
        if answer[1] == "407":
            advice = "write name and password into the address of the proxy: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"
        return error("F201", f"{redacted(url)} can't be reached: {said}", help=advice)

    def _raise_if_silent(self, url: str) -> None:
        """Fail at once where another request has just tried for long: many names of one server fail together."""
        if not self._silent:
            return
        self._pools(url)
        until, reason = self._silent.get(_origin(url), (0.0, ""))
        if time.monotonic() < until:
            raise self._unreachable(url, reason)

    def _insecure(self, url: str, failure: Any, *, to_proxy: bool) -> Exception:
        """What a failure of TLS means: another try, when the connection ended in the middle of it."""
        import ssl

        cause = failure.args[0] if failure.args else failure
        if isinstance(cause, ssl.SSLEOFError) or getattr(cause, "reason", "") == "UNEXPECTED_EOF_WHILE_READING":
            return TransientError("the server ends the connection while encryption is agreed upon")
        if getattr(cause, "reason", "") in _PLAIN:
            what, advice = "the server", self._unencrypted.replace("{host}", _host(url))
            proxy = _proxy_host(url)
            if to_proxy:
                what, advice = f"the proxy {proxy}", "write http:// in the address of the proxy"
            elif proxy:
                what, advice = f"the server, or the proxy {proxy} in its place,", f"check the proxy; {advice}"
            message = f"{redacted(url)}: {what} does not speak TLS: it answers in plain text"
            return error("F210", message, help=advice)
        return error(
            "F204",
            f"{redacted(url)}: the server's certificate is not accepted: {_reason(failure)}",
            help="check the date of this machine and its certificates (SSL_CERT_FILE), and any proxy",
        )

    def _page(self, url: str) -> FinbackError:
        return error(
            "F200",
            f"{redacted(url)} answers with a web page, in the place of what was asked for",
            help="something on the way answers instead: log in to this network with a browser (a captive portal), or "
            f"check the proxy; else the address is that of a web site: {self._remedy}",
        )

    def _unreachable(self, url: str, reason: str) -> FinbackError:
        return error(
            "F201",
            f"{redacted(url)} can't be reached: {reason}",
            help=f"check the network and any proxy; {self._remedy}",
        )


def _drain(response: Any) -> None:
    """Read what little there may be, so that the connection can be used again."""
    left = DRAINED
    while left > 0 and (chunk := response.read1(left, decode_content=False)):
        left -= len(chunk)
    if left > 0:
        response.release_conn()
    else:
        response.close()


def _proxy_host(url: str) -> str:
    """HOST:PORT of the proxy through which *url* is asked, or "". Its address may have a password."""
    from finback.host.connection import proxy_of

    return _host(proxy_of(url))


def _origin(url: str) -> tuple[str, str, int]:
    from urllib3.util import parse_url

    parsed = parse_url(url)
    scheme = parsed.scheme or ""
    return scheme, parsed.host or "", parsed.port or {"http": 80, "https": 443}.get(scheme, 0)


def retry_after(text: str) -> float | None:
    """The seconds that a server asks to wait, None when it does not say. Source: RFC 9110, section 10.2.3."""
    if text.strip().isdecimal():
        return float(int(text.strip()[:9]))
    try:
        when = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(when - clock.now(), 0.0)


def _is_page(headers: Mapping[str, str], head: bytes) -> bool:
    return "html" in headers.get("Content-Type", "").lower() and _PAGE.match(head) is not None


def _is_alert(failure: Any) -> bool:
    """Whether an answer began with an alert of TLS. Source: RFC 8446, section 5.1: type 21, version 3.x."""
    from http.client import BadStatusLine

    return any(isinstance(a, BadStatusLine) and "\\x15\\x03" in repr(a) for a in getattr(failure, "args", ()))


def _decoded(chunks: Iterator[bytes], headers: Mapping[str, str], url: str, limit: int) -> Iterator[bytes]:
    """The body without the compression that something on the way has added, though nobody asked for it."""
    if headers.get("Content-Encoding", "").strip().lower() not in ("gzip", "x-gzip"):
        return chunks
    from finback.codec.decompress import decompress, reader

    return _translated_chunks(decompress(reader(chunks), ".gz", limit + 1), url)


def _translated_chunks(chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    try:
        yield from chunks
    except ValueError as failure:
        message = f"the compressed answer of {redacted(url)} {failure}"
        raise error("F302", message, help="what sent it is faulty or hostile") from None


def _host(url: str) -> str:
    from urllib3.util import parse_url

    return str(parse_url(url).netloc or "")


def _reason(failure: Exception) -> str:
    text = str(getattr(failure, "reason", None) or failure)
    if len(failure.args) == 2 and isinstance(failure.args[1], Exception):
        # urllib3 gives a pair, which str() writes as Python does.
        text = f"{str(failure.args[0]).rstrip('.')}: {failure.args[1]}"
    return re.sub(r"^\w+\(host=.*?, port=\w+\): *", "", redacted(text))


def _no_address(url: str) -> FinbackError:
    return error("F203", f"{redacted(url)!r} is not an address", help="give a URL like http://HOST/PATH")
