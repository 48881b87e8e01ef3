"""Digests as the OCI image specification writes them: ``algorithm:encoded``.

Source: OCI image specification 1.1, descriptor.md, section "Digests".
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

_ENCODED = {"sha256": re.compile(r"[a-f0-9]{64}\Z"), "sha512": re.compile(r"[a-f0-9]{128}\Z")}


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The name of some bytes: an algorithm and the encoded hash, in lower-case hexadecimal.

    Raises:
        ValueError: the algorithm is not one of sha256 and sha512, or the hash has the wrong form.

    """

    algorithm: str
    encoded: str

    def __post_init__(self) -> None:
        pattern = _ENCODED.get(self.algorithm)
        if pattern is None or not pattern.match(self.encoded):
            raise ValueError(f"{self} is not a digest (expected sha256: and 64 hexadecimal digits)")

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Read ``sha256:…``. Raises ValueError when *text* has another form."""
        algorithm, _, encoded = text.partition(":")
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, data: bytes | memoryview) -> Digest:
        """The sha256 digest of *data*."""
        return cls("sha256", hashlib.sha256(data).hexdigest())

    @property
    def short(self) -> str:
        """The first 16 hexadecimal digits: enough to tell apart the images of one system."""
        return self.encoded[:16]

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.encoded}"
