"""The form of a record in the store: a small value, the key that it belongs to, and a checksum over both.

The key is the digest of everything that the remembered work depended on. A record whose bytes were damaged, or that was
copied from another key, does not decode.
"""

from __future__ import annotations

import json
from typing import Any

from finback.codec import strict_json
from finback.ground.digest import Digest

LIMIT = 64 << 20


def file_name(key: Digest) -> str:
    """The name of the file that has the record of *key*."""
    return f"{key.encoded}.json"


def encode(key: Digest, value: Any) -> bytes:
    """The record's bytes. *value* consists of JSON's types."""
    return json.dumps({"key": str(key), "value": value, "sum": _sum(key, value)}, sort_keys=True).encode()


def decode(data: bytes, key: Digest) -> Any:
    """The value in a record of *key*.

    Raises:
        ValueError: the record is damaged, or belongs to another key.

    """
    try:
        body = strict_json.plain(data, limit=LIMIT)
        if body["key"] != str(key) or body["sum"] != _sum(key, body["value"]):
            raise ValueError("the record does not fit its key or its checksum")
    except (KeyError, TypeError) as failure:
        raise ValueError(f"this is no record: {failure!r}") from None
    return body["value"]


def decode_named(data: bytes, name: str) -> Any:
    """The value in the record that the file called *name* has.

    Raises:
        ValueError: the record is damaged, or belongs to another file.

    """
    encoded = name.removesuffix(".json")
    if encoded == name:
        raise ValueError(f"{name} is no record's name")
    return decode(data, Digest("sha256", encoded))


def _sum(key: Digest, value: Any) -> str:
    text = json.dumps([str(key), value], sort_keys=True, separators=(",", ":"))
    return str(Digest.of(text.encode()))
