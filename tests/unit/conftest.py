"""What unit tests of several layers share: ELF files made to measure."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

MakeElf = Callable[..., bytes]


def elf_file(
    *,
    wide: bool = True,
    order: str = "<",
    machine: int = 62,
    kind: int = 3,
    interpreter: str = "",
    needed: tuple[str, ...] = (),
    soname: str = "",
    runpath: str = "",
    rpath: str = "",
) -> bytes:
    """An ELF file without code: header, segments, dynamic section, strings; loaded at 0x10000."""
    base = 0x10000
    segment = struct.Struct(order + ("IIQQQQQQ" if wide else "IIIIIIII"))
    pair = struct.Struct(order + ("QQ" if wide else "II"))
    head_size = 64 if wide else 52
    strings = b"\0"
    tags = []
    for tag, texts in ((1, needed), (14, (soname,)), (29, (runpath,)), (15, (rpath,))):
        for text in filter(None, texts):
            tags.append((tag, len(strings)))
            strings += text.encode() + b"\0"
    dynamic_at = head_size + 3 * segment.size
    strings_at = dynamic_at + (len(tags) + 3) * pair.size
    interpreter_at = strings_at + len(strings)
    tags += [(5, base + strings_at), (10, len(strings)), (0, 0)]
    end = interpreter_at + len(interpreter) + 1

    def program_header(number: int, at: int, size: int) -> bytes:
        if wide:
            return segment.pack(number, 4, at, base + at, base + at, size, size, 1)
        return segment.pack(number, at, base + at, base + at, size, size, 4, 1)

    ident = b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    form = order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH")
    head = struct.pack(form, kind, machine, 1, 0, head_size, 0, 0, head_size, segment.size, 3, 0, 0, 0)
    segments = program_header(1, 0, end) + program_header(2, dynamic_at, len(tags) * pair.size)
    last = (interpreter_at, len(interpreter) + 1) if interpreter else (0, 0)
    segments += program_header(3 if interpreter else 4, *last)
    dynamic = b"".join(pair.pack(*t) for t in tags)
    return ident + head + segments + dynamic + strings + interpreter.encode() + b"\0"


@pytest.fixture(scope="session")
def make_elf() -> MakeElf:
    """Makes ELF files: see `elf_file`."""
    return elf_file
