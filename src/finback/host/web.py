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
from urllib.parse import urljoin

from finback.ground.diagnostic import FinbackError, error
from finback.host import clock
from finback.host.patience import Patience, Security
from finback.host.store import CHUNK
from finback.host.transfer import BrokenError, Transfer, TransientError, paced

if TYPE_CHECKING:
    from finback.host.connection import Pools

REDIRECTS = 5
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
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


class Client:
    """Asks servers. *remedy* is what its users can do when one does not answer."""

    def __init__(
        self, patience: Patience | None = None, security: Security | None = None, remedy: str = "check the address"
    ) -> None:
        self._patience = patience or Patience()
        self._security = security or Security()
        self._remedy = remedy
        self._opened: Pools | None = None

    def ask(self, request: Request, *, limit: int, guard: Guard | None = None) -> Reply:
        """The whole answer, whatever its status. What fails for now is tried again.

        Raises:
            FinbackError: F201 unreachable, F202 a redirect that can't be followed, F203 no address, F204 a certificate
                that is not accepted, F302 larger than *limit*.

        """
        attempt = 1
        while True:
            try:
                with self._sent(request, guard) as (url, response):
                    last = attempt >= self._patience.attempts
                    if response.status in RETRY_STATUSES and not last:
                        raise _busy(response, self._patience)
                    body = self._whole(response, url, limit)
                    return Reply(url=url, status=response.status, headers=response.headers, body=body)
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
        transfer = Transfer(self._patience, pinned=pinned)
        attempt = 1
        while True:
            before = transfer.done
            ranged = Request(url=request.url, headers={**request.headers, **transfer.headers()})
            try:
                with self._sent(ranged, guard) as (url, response):
                    if response.status in RETRY_STATUSES and attempt < self._patience.attempts:
                        raise _busy(response, self._patience)
                    if response.status not in ((200, 206) if transfer.done else (200,)):
                        body = self._whole(response, url, DRAINED, cut=True)
                        raise refused(Reply(url=url, status=response.status, headers=response.headers, body=body))
                    yield from transfer.body(response)
                    return
            except TransientError as failure:
                # A transfer that gets on is not given up.
                attempt = 1 if transfer.done >= before + CHUNK else attempt
                self._pause(request, failure, attempt)
                attempt += 1
            except BrokenError as failure:
                raise self._unreachable(request.url, str(failure)) from None

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
        url, hops, renewed = request.url, 0, False
        while True:
            secret = guard.headers() if guard else {}
            response = self._once(request, url, secret)
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
        target = re.sub(r"#.*|(?<=//)[^/?]*@", "", urljoin(url, location))
        scheme = target.partition(":")[0].lower()
        if hops > REDIRECTS:
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
        for chunk in paced(response, self._patience):
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
            raise self._unreachable(request.url, failure.reason) from None
        longest = self._patience.pause * 3 ** (attempt - 1)
        time.sleep(failure.wait if failure.wait is not None else longest)

    def _translated(self, url: str, failure: Exception) -> Exception:
        """What urllib3's *failure* means: another try, or none."""
        from urllib3.exceptions import ProxyError, ProxySchemeUnknown, SSLError

        inner: Any = failure.original_error if isinstance(failure, ProxyError) else failure
        if isinstance(inner, SSLError):
            return error(
                "F204",
                f"{redacted(url)}: the server's certificate is not accepted: {_reason(inner)}",
                help="check the date of this machine and its certificates (SSL_CERT_FILE), and any proxy",
            )
        if isinstance(inner, ProxySchemeUnknown):
            return error("F203", f"the proxy is no address: {_reason(inner)}", help="write http://HOST:PORT")
        return TransientError(_reason(failure))

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


def _origin(url: str) -> tuple[str, str, int]:
    from urllib3.util import parse_url

    parsed = parse_url(url)
    scheme = parsed.scheme or ""
    return scheme, parsed.host or "", parsed.port or {"http": 80, "https": 443}.get(scheme, 0)


def _busy(response: Any, patience: Patience) -> TransientError:
    wait = retry_after(response.headers.get("Retry-After", ""), patience.longest_pause)
    return TransientError(f"status {response.status}", wait)


def retry_after(text: str, longest: float) -> float | None:
    """The seconds that a server asks to wait, at most *longest*. Source: RFC 9110, section 10.2.3."""
    if text.isdecimal():
        return float(min(int(text[:9]), longest))
    try:
        when = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(when - clock.now(), 0.0), longest)


def _reason(failure: Exception) -> str:
    text = str(getattr(failure, "reason", None) or failure)
    return re.sub(r"^\w+\(host=.*?, port=\w+\): *", "", redacted(text))


def _no_address(url: str) -> FinbackError:
    return error("F203", f"{redacted(url)!r} is not an address", help="give a URL like http://HOST/PATH")
