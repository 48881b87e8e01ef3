"""Files from the web by their URLs: bounded, retried, resumed. Credentials in URLs are never shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import unquote

from finback.ground.diagnostic import FinbackError, error
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.host.web import Client, Reply, Request, redacted

REMEDY = "FINBACK_MIRROR names another Debian mirror"


class Fetcher:
    """Gets things from the web, with a pool of connections."""

    def __init__(self) -> None:
        self._client = Client(remedy=REMEDY, unencrypted="write http:// in the mirror's address")

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
        return self._client.stream(Request(url=url), refused=_refused, guard=_Named(url))


class _Named:
    """The user and password in a URL."""

    def __init__(self, url: str) -> None:
        found = re.match(r"[a-z]+://([^/?#\s]*)@", url, re.IGNORECASE)
        self._headers: Mapping[str, str] = {}
        if found:
            secret = base64.b64encode(unquote(found[1]).encode()).decode()
            self._headers = {"Authorization": f"Basic {secret}"}

    def headers(self) -> Mapping[str, str]:
        return self._headers

    def renew(self, headers: Mapping[str, str]) -> bool:
        """There is no other proof."""
        del headers
        return False


def _refused(reply: Reply) -> FinbackError:
    return error(
        "F202",
        f"{redacted(reply.url)}: the server answered {reply.status}",
        help="check the address, and FINBACK_MIRROR if it is set",
    )
