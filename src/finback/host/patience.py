"""How long to wait for others, and whose word to take: what a client of the web is told once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Times in seconds."""

    attempts: int = 4
    """How often the same thing is tried without any progress."""
    connect: float = 15
    read: float = 60
    """The longest silence within an answer. Its head may take twice as long, however busily it trickles."""
    window: float = 30
    """Every so often a body must have brought `window` * `slowest` bytes."""
    slowest: int = 1024
    """Bytes a second."""
    pause: float = 0.3
    """Before the second attempt; three times as long before each further one."""
    longest_pause: float = 60
    """The most that a server's Retry-After can make us wait: when it asks for more, that is an error at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Which servers are believed to be who they say."""

    authorities: tuple[Path, ...] = ()
    """Files with certificates of authorities, in addition to the system's."""
    unchecked: frozenset[str] = frozenset()
    """HOST[:PORT] of servers whose certificates are not looked at, as the user has named them."""
