"""What can go wrong in a registry's answers, as values.

A fault befalls the requests whose `METHOD PATH` its pattern fits, a number of times, and then no more.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PIECE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that is about to be sent."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    announced: int | None = None
    """The length to announce, when it is not that of `body`. The connection ends after a body that is too short."""
    pause: float = 0.0
    """Seconds between pieces."""
    piece: int = PIECE

    def pieces(self) -> Iterator[bytes]:
        """The body as it is sent."""
        for at in range(0, len(self.body), self.piece):
            if at and self.pause:
                time.sleep(self.pause)
            yield self.body[at : at + self.piece]


Change = Callable[[Answer], Answer]


class Fault:
    """Changes the next *times* answers to requests that *pattern*, a regular expression, fits from its beginning."""

    def __init__(self, pattern: str, change: Change, times: int = 1) -> None:
        self._pattern = re.compile(pattern)
        self.change = change
        self.left = times

    def befalls(self, request: str) -> bool:
        """Whether the fault is for *request*, `METHOD PATH`; it is one fewer then."""
        if self.left <= 0 or not self._pattern.match(request):
            return False
        self.left -= 1
        return True


def status(code: int, **headers: str) -> Change:
    """Another answer; an underscore in a header's name stands for a hyphen."""
    named = {n.replace("_", "-"): v for n, v in headers.items()}
    return lambda _: Answer(status=code, headers=named)


def redirect(url: str) -> Change:
    """Send the client to *url*."""
    return status(307, Location=url)


def truncated(answer: Answer) -> Answer:
    """Half of the body, as if it were all."""
    return Answer(status=answer.status, headers=answer.headers, body=answer.body[: len(answer.body) // 2])


def longer(answer: Answer) -> Answer:
    """More than there is."""
    return Answer(status=answer.status, headers=answer.headers, body=answer.body + b"more")


def corrupt(answer: Answer) -> Answer:
    """Another last byte."""
    changed = answer.body[:-1] + bytes([answer.body[-1] ^ 1])
    return Answer(status=answer.status, headers=answer.headers, body=changed)


def cut(after: int) -> Change:
    """End the connection after some bytes of the body."""
    return lambda a: Answer(status=a.status, headers=a.headers, body=a.body[:after], announced=len(a.body))


def slow(pause: float) -> Change:
    """One byte at a time."""
    return lambda a: Answer(status=a.status, headers=a.headers, body=a.body, pause=pause, piece=1)


def replaced(body: bytes, media_type: str) -> Change:
    """Another body."""
    return lambda _: Answer(status=200, headers={"Content-Type": media_type}, body=body)


def as_json(value: Any) -> Answer:
    """A JSON answer."""
    return Answer(status=200, headers={"Content-Type": "application/json"}, body=json.dumps(value).encode())
