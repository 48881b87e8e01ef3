"""How far one body has come, over as many answers as it takes, and whether it comes fast enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from finback.host import clock
from finback.host.patience import Patience

# What is read at once. Larger pieces cost memory in every thread, smaller ones time.
PIECE = 1 << 18


class TransientError(Exception):
    """Worth another try, after `wait` seconds when the server says so. `silent` is the server to which there was no
    connection at all: scheme, host and port.
    """

    def __init__(self, reason: str, wait: float | None = None, silent: tuple[str, str, int] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.silent = silent


class BrokenError(Exception):
    """What came can't be continued, nor begun again: the reason."""


class Transfer:
    """A body on its way. With *pinned*, its bytes are known by digest and any server's will do to go on with."""

    def __init__(self, patience: Patience, *, pinned: bool) -> None:
        self.done = 0
        self._patience = patience
        self._pinned = pinned
        self._version = ""
        """The validator that the first answer gave: a later one with another is of other bytes."""

    def headers(self) -> dict[str, str]:
        """What to ask for next. Source: RFC 9110, sections 13.1.5 and 14.2."""
        if not self.done:
            return {}
        strong = self._version and not self._version.startswith("W/") and not self._pinned
        return {"Range": f"bytes={self.done}-", **({"If-Range": self._version} if strong else {})}

    def body(self, response: Any) -> Iterator[bytes]:
        """What *response* adds.

        Raises:
            BrokenError: it is not a continuation of what came before.
            TransientError: it ended early, or comes too slowly.

        """
        skipped = self._start(response)
        announced = response.headers.get("Content-Length")
        got = 0
        for chunk in paced(response, self._patience):
            got += len(chunk)
            fresh = chunk[max(0, len(chunk) - (got - skipped)) :] if got > skipped else b""
            if fresh:
                self.done += len(fresh)
                yield fresh
        if announced and announced.isdecimal() and len(announced) < 20 and got < int(announced):
            raise TransientError("the connection ended early")

    def _start(self, response: Any) -> int:
        """How many bytes of *response* are there already: it is a continuation, or the whole once more."""
        version = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        if not self.done:
            self._version = version
            return 0
        if version != self._version and not self._pinned:
            raise BrokenError("the transfer broke, and the file has changed since")
        if response.status == 200:
            return self.done
        if not response.headers.get("Content-Range", "").startswith(f"bytes {self.done}-"):
            raise BrokenError("the transfer broke, and the server resumed it at the wrong place")
        return 0


def paced(response: Any, patience: Patience) -> Iterator[bytes]:
    """The body of *response* as it comes in.

    Raises:
        TransientError: it comes too slowly.

    """
    since, got = clock.monotonic(), 0
    # Not `stream`, which waits until a whole piece is there and so can't see how slowly it comes.
    while chunk := response.read1(PIECE, decode_content=False):
        got += len(chunk)
        yield chunk
        now = clock.monotonic()
        if now - since >= patience.window:
            if got < patience.window * patience.slowest:
                raise TransientError(f"only {got} bytes came in {now - since:.0f} seconds")
            since, got = now, 0
