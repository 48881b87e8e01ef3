"""ELF headers: what a program or library is for and what it needs. Nothing else is read.

Subset: program headers and the dynamic section, of both classes and byte orders; section headers are not looked at.
Every size that the file states is bounded, so that a hostile file costs a few MiB at most.

Source: System V gABI, chapters 4 and 5; ld.so(8).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

MAGIC = b"\x7fELF"
# Headers, dynamic sections and string tables of real files are far below these.
MAX_SEGMENTS = 512
MAX_DYNAMIC = 1 << 20
MAX_STRINGS = 16 << 20
MAX_NAME = 4096
_HEADER = 64
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 10, 14, 15, 29

ReadAt = Callable[[int, int], bytes]
"""Gives at most so many bytes (second) from an offset (first); fewer at the end of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """What the dynamic loader would see."""

    bits: int
    """32 or 64."""
    machine: int
    """``e_machine``."""
    type: int
    """``e_type``: 1 object, 2 program, 3 shared object or position-independent program."""
    interpreter: str = ""
    needed: tuple[str, ...] = ()
    soname: str = ""
    runpath: tuple[str, ...] = ()
    """Folders of DT_RUNPATH; ``$ORIGIN`` and the like as they are written."""
    rpath: tuple[str, ...] = ()
    """Folders of DT_RPATH, which counts only where there is no DT_RUNPATH."""


def decode(data: bytes | memoryview) -> Elf:
    """Read the ELF file *data*.

    Raises:
        ValueError: it is not one, or is malformed.

    """
    return read(lambda offset, size: bytes(data[offset : offset + size]))


def read(at: ReadAt) -> Elf:
    """Read an ELF file through *at*, asking only for the parts that matter.

    Raises:
        ValueError: it is not one, or is malformed.

    """
    try:
        return _read(at)
    except (struct.error, IndexError, OverflowError) as failure:
        raise ValueError(f"malformed ELF file: {failure}") from None


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def _read(at: ReadAt) -> Elf:
    head = at(0, _HEADER)
    if head[:4] != MAGIC:
        raise ValueError("not an ELF file")
    wide = {1: False, 2: True}.get(head[4])
    order = {1: "<", 2: ">"}.get(head[5])
    if wide is None or order is None:
        raise ValueError("unknown ELF class or byte order")
    kind, machine = struct.unpack_from(order + "HH", head, 16)
    segments = _segments(at, head, order, wide=wide)
    interpreter = next((s for s in segments if s.kind == _PT_INTERP), None)
    dynamic = next((s for s in segments if s.kind == _PT_DYNAMIC), None)
    found = _dynamic(at, dynamic, segments, struct.Struct(order + ("QQ" if wide else "II"))) if dynamic else {}
    runpath, rpath = (
        tuple(p for t in found.get(tag, ()) for p in t.split(":") if p) for tag in (_DT_RUNPATH, _DT_RPATH)
    )
    return Elf(
        bits=64 if wide else 32,
        machine=machine,
        type=kind,
        interpreter=_text(at(interpreter.offset, min(interpreter.size, MAX_NAME)), 0) if interpreter else "",
        needed=tuple(found.get(_DT_NEEDED, ())),
        soname=next(iter(found.get(_DT_SONAME, ())), ""),
        runpath=runpath,
        rpath=() if _DT_RUNPATH in found else rpath,
    )


def _segments(at: ReadAt, head: bytes, order: str, *, wide: bool) -> list[_Segment]:
    (table,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
    step, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    layout = struct.Struct(order + ("IIQQQQ" if wide else "IIIII"))
    if count > MAX_SEGMENTS:
        raise ValueError("too many ELF segments")
    if count and step < layout.size:
        raise ValueError("ELF segments are too small")
    data = at(table, step * count)
    out = []
    for i in range(count):
        values = layout.unpack_from(data, i * step)
        # The wide form has the flags second, the narrow one near the end.
        kind, offset, address, size = (values[0], values[2], values[3], values[5]) if wide else (*values[:3], values[4])
        out.append(_Segment(kind, offset, address, size))
    return out


def _dynamic(at: ReadAt, segment: _Segment, segments: list[_Segment], layout: struct.Struct) -> dict[int, list[str]]:
    data = at(segment.offset, min(segment.size, MAX_DYNAMIC))
    entries: list[tuple[int, int]] = []
    for offset in range(0, len(data) - layout.size + 1, layout.size):
        tag, value = layout.unpack_from(data, offset)
        if tag == _DT_NULL:
            break
        entries.append((tag, value))
    values = dict(entries)
    wanted = [e for e in entries if e[0] in (_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH)]
    if not wanted:
        return {}
    if _DT_STRTAB not in values or values.get(_DT_STRSZ, 0) > MAX_STRINGS:
        raise ValueError("ELF string table is missing or too large")
    strings = at(_file_offset(values[_DT_STRTAB], segments), values.get(_DT_STRSZ, 0))
    out: dict[int, list[str]] = {}
    for tag, value in wanted:
        out.setdefault(tag, []).append(_text(strings, value))
    return out


def _file_offset(address: int, segments: list[_Segment]) -> int:
    for s in segments:
        if s.kind == _PT_LOAD and s.address <= address < s.address + s.size:
            return address - s.address + s.offset
    raise ValueError("ELF string table is not in the file")


def _text(data: bytes, offset: int) -> str:
    end = data.find(b"\0", offset, offset + MAX_NAME)
    if end < 0:
        raise ValueError("ELF string has no end")
    return data[offset:end].decode("utf-8", "surrogateescape")
