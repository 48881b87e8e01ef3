"""Changes to sound inputs: of bytes, of lines, and of what JSON and tar archives are made of."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

LIMIT = 1 << 16
"""Bytes that an input may grow to."""
NUMBERS = (
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    4095,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
    2**63,
    2**64,
)
WORDS = (
    b"\0", b"\n", b"\r\n", b"\n\n", b" ", b"\t", b"..", b"../", b"/", b"//", b"[", b"]", b"{", b"}", b'"', b"'", b"\\",
    b":", b",", b"=", b"<", b">", b"(", b")", b"%", b"&", b"*", b"!", b"|", b"-", b"--", b"#", b"@", b"null",
    b"true", b"NaN",
    b"Infinity", b"-Infinity", b"1e999", b"\\ud800", b"\\u0000", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", "é".encode(),
    "\u2028".encode(), "\U0001f600".encode(), b"sha256:", b"http://[::1", b"https://", b"/etc/passwd", b"/dev/zero",
    b"07777777777", b"99999999999999999999", b"9" * 5000, b"-0", b"0x", b"1 ", b"+", b"~", b"^", b"\x1b[31m",
    b"\x1b]0;",
    b"\x80\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\xff" * 8, b"\0" * 8, b"Content-Length: 1\n",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 2**40, 2**70, 1.5, "", "x", "\0", "..", "/", "sha256:", "sha256:" + "0" * 64, "é",
    "9" * 5000, [], {}, [None], [[]], [{}], {"a": 1}, [1, "a"], float("inf"),
    "\ud800", "a" * 300, "http://[::1", "-1", " ", "\n",
)  # fmt: skip

Change = Callable[[random.Random, bytes], bytes]


def mutated(rng: random.Random, seeds: Sequence[bytes], special: Sequence[Change] = ()) -> bytes:
    """One of *seeds* after a few changes. *special* are changes that know the inputs' form, and are preferred."""
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 9))):
        if special and rng.random() < 0.6:
            data = rng.choice(special)(rng, data)
        elif rng.random() < 0.05:
            data = _spliced(rng, data, rng.choice(seeds))
        else:
            data = rng.choice(BYTES)(rng, data)
    return data[:LIMIT]


def _place(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((0, 1, 1, 2, 4, 8, 16, 64, 512)))


def _flipped(rng: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def _set(rng: random.Random, data: bytes) -> bytes:
    start, end = _place(rng, data)
    return data[:start] + rng.randbytes(end - start) + data[end:]


def _removed(rng: random.Random, data: bytes) -> bytes:
    start, end = _place(rng, data)
    return data[:start] + data[end:]


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _inserted(rng: random.Random, data: bytes) -> bytes:
    start, _ = _place(rng, data)
    return data[:start] + rng.choice(WORDS) + data[start:]


def _replaced(rng: random.Random, data: bytes) -> bytes:
    start, end = _place(rng, data)
    return data[:start] + rng.choice(WORDS) + data[end:]


def _repeated(rng: random.Random, data: bytes) -> bytes:
    start, end = _place(rng, data)
    return data[:start] + data[start:end] * rng.choice((2, 3, 20, 300, 3000)) + data[end:]


def _number(rng: random.Random, data: bytes) -> bytes:
    """A number of some width and order, or in digits, anywhere."""
    number, start = rng.choice(NUMBERS), rng.randrange(len(data) + 1)
    width = rng.choice((1, 2, 4, 8, 0))
    if not width:
        new = str(number).encode()
        return data[:start] + new + data[start + len(new) :]
    new = (number & ((1 << 8 * width) - 1)).to_bytes(width, rng.choice(("little", "big")))  # type: ignore[arg-type]
    return data[:start] + new + data[start + width :]


def _spliced(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


BYTES: tuple[Change, ...] = (_flipped, _set, _removed, _cut, _inserted, _replaced, _repeated, _number)


def lines(rng: random.Random, data: bytes) -> bytes:
    """Lines moved, doubled, taken out, indented, or given another one's value."""
    rows = data.split(b"\n")
    one, other = rng.randrange(len(rows)), rng.randrange(len(rows))
    match rng.randrange(6):
        case 0:
            rows.insert(one, rows[other])
        case 1:
            rows[one], rows[other] = rows[other], rows[one]
        case 2:
            del rows[one]
        case 3:
            rows[one] = rng.choice((b" ", b"\t", b"  ", b"- ")) + rows[one]
        case 4:
            rows[one] = rows[one].partition(b":")[0] + b": " + rows[other].partition(b":")[2] + rng.choice(WORDS)
        case _:
            rows[one] = rows[one].lstrip() + rng.choice(WORDS) * rng.choice((1, 1, 50))
    return b"\n".join(rows)


def json_values(rng: random.Random, data: bytes) -> bytes:
    """One value of a JSON document in place of another, a member more, less or twice, or deep nesting."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    places: list[tuple[Any, Any]] = []
    left = [document]
    while left:
        here = left.pop()
        items = here.items() if isinstance(here, dict) else enumerate(here) if isinstance(here, list) else ()
        for key, value in items:
            places.append((here, key))
            left.append(value)
    if not places:
        return data
    holder, key = rng.choice(places)
    match rng.randrange(6):
        case 0 | 1:
            holder[key] = rng.choice(VALUES)
        case 2:
            other = rng.choice(places)
            holder[key] = json.loads(
                json.dumps(other[0].get(other[1]) if isinstance(other[0], dict) else other[0][other[1]])
            )
        case 3:
            del holder[key]
        case 4:
            if isinstance(holder, list):
                holder.extend([holder[key]] * rng.choice((1, 2, 1000)))
            else:
                holder[str(rng.choice(VALUES))[:50]] = rng.choice(VALUES)
        case _:
            deep = rng.choice((3, 70, 900))
            return json.dumps(document).encode("utf-8", "replace").replace(b'"', b"[" * deep + b'"', 1) + b"]" * deep
    return json.dumps(document).encode("utf-8", "replace")


def tar_headers(rng: random.Random, data: bytes) -> bytes:
    """A changed field of a tar header, whose checksum is put right."""
    blocks = [at for at in range(0, len(data) - 511, 512) if data[at + 257 : at + 262] == b"ustar"]
    if not blocks:
        return data
    at = rng.choice(blocks)
    header = bytearray(data[at : at + 512])
    start, end = rng.choice(
        ((0, 100), (100, 108), (108, 116), (116, 124), (124, 136), (136, 148), (156, 157), (157, 257), (257, 265),
         (329, 345), (345, 500), (386, 482), (482, 495))
    )  # fmt: skip
    new = rng.choice((
        b"../x", b"/a", b"a/b/c", b".wh.a", b".wh..wh..opq", b"a", b"dir/", b"x" * 155, b"\xff", b"",
        b"%011o\0" % rng.choice((0, 1, 511, 512, 65535, 0o77777777777)), b"\x80" + rng.randbytes(11), b"\xff" * 12,
        rng.choice(b"01234567SLKxgDVX\0").to_bytes(1, "big"), rng.randbytes(end - start),
    ))  # fmt: skip
    header[start:end] = new[: end - start].ljust(end - start, b"\0")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return data[:at] + bytes(header) + data[at + 512 :]


def tar_members(rng: random.Random, data: bytes) -> bytes:
    """Blocks of an archive doubled, moved or taken out."""
    blocks = [data[at : at + 512] for at in range(0, len(data), 512)]
    if not blocks:
        return data
    one, other = rng.randrange(len(blocks)), rng.randrange(len(blocks))
    match rng.randrange(3):
        case 0:
            blocks[one:one] = blocks[other : other + rng.choice((1, 2, 3))] * rng.choice((1, 1, 20))
        case 1:
            del blocks[one : one + rng.choice((1, 2))]
        case _:
            blocks[one], blocks[other] = blocks[other], blocks[one]
    return b"".join(blocks)
