"""Build: a plan's system, written in one format or several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from finback.app.planning import Inputs, make_plan
from finback.app.workspace import Workspace
from finback.assemble import build as assembling
from finback.assemble.contents import StoreContents
from finback.assemble.system import Compression, Piece, System
from finback.ground.diagnostic import Diagnostic, FinbackError, Severity, error
from finback.ground.event import Warned, task
from finback.host import file
from finback.outputs import FORMATS, Format, Options, Written
from finback.resolve.plan import Plan
from finback.tree.content import Slice

DEFAULT_FORMAT = "kernel+initrd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a build made."""

    path: Path
    role: str
    media_type: str
    size: int
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to make and where to put it."""

    formats: tuple[str, ...] = ()
    """Default: the spec's `outputs`, or kernel+initrd."""
    folder: Path = Path()
    stream: BinaryIO | None = None
    """Write the one file of a streamable format here instead of into the folder."""
    file: Path | None = None
    """Write the one file of a streamable format to this path."""
    compression: Compression | None = None


def build(inputs: Inputs, target: Target, workspace: Workspace) -> tuple[Artifact, ...]:
    """Make every artifact, each appearing complete or not at all.

    Raises:
        FinbackError: with what is wrong; no artifact of a failed format is left.

    """
    try:
        return _build(inputs, target, workspace)
    except FinbackError as failure:
        if not any(d.code == "F401" for d in failure.diagnostics):
            raise
        # A damaged blob has been removed from the store; what it held can be made or fetched again.
        for diagnostic in failure.diagnostics:
            workspace.emit(
                Warned(
                    diagnostic=Diagnostic(
                        code=diagnostic.code, message=diagnostic.message + "; trying again", severity=Severity.WARNING
                    )
                )
            )
    return _build(inputs, target, workspace)


def _build(inputs: Inputs, target: Target, workspace: Workspace) -> tuple[Artifact, ...]:
    plan, _ = make_plan(inputs, workspace)
    chosen = choose_formats(plan, target)
    system = assembling.build(plan, workspace.store)
    contents = StoreContents(workspace.store, plan, workspace.emit)
    made: list[Artifact] = []
    for name, form, options in chosen:
        with task(workspace.emit, f"format {name}", f"writing {name}"):
            made += _write(name, form.write(system, contents, options), target, workspace, system)
    return tuple(made)


def choose_formats(plan: Plan, target: Target) -> tuple[tuple[str, Format, Options], ...]:
    """The formats that the command line names, or else the spec, or else the default, with their options.

    Raises:
        FinbackError: F010 unknown format; F023 the format can't go where it shall; F024 it needs a kernel.

    """
    wanted: list[tuple[str, str | None, object]] = [(n, None, None) for n in target.formats]
    if not wanted:
        wanted = [(o.format, o.compression, o.origin.at("format")) for o in plan.outputs]
    if not wanted:
        wanted = [("tar" if target.file or target.stream else DEFAULT_FORMAT, None, None)]
    chosen = []
    for name, compression, span in wanted:
        form = _format(name, span)
        if (target.stream or target.file) and (not form.streamable or len(wanted) > 1):
            raise error(
                "F023",
                f"{name} has several files and can't be written to one",
                help="leave --o out, or name one streamable format: "
                + ", ".join(n for n, f in FORMATS if f.streamable),
            )
        if form.needs_kernel and plan.kernel is None:
            raise error("F024", f"{name} needs a kernel and the spec names none", help="add a `kernel:` section")
        chosen.append((name, form, Options(compression=_compression(compression, target))))
    return tuple(chosen)


def _format(name: str, span: object) -> Format:
    from finback.ground.diagnostic import blame
    from finback.ground.source import Span

    with blame(span if isinstance(span, Span) else None):
        return FORMATS.get(name)


def _compression(text: str | None, target: Target) -> Compression:
    if target.compression is not None:
        return target.compression
    try:
        return Compression.parse(text) if text else Compression()
    except ValueError as failure:
        raise error("F025", str(failure), help="write zstd, zstd:LEVEL, gzip, gzip:LEVEL or none") from None


def _write(
    name: str, outputs: Iterator[Written], target: Target, workspace: Workspace, system: System
) -> list[Artifact]:
    made = []
    for written in outputs:
        if target.stream is not None:
            size = _pour(written, target.stream, workspace)
            path = Path("-")
        else:
            path = target.file or target.folder / f"{system.name}{written.suffix}"
            with file.writing(path) as out:
                size = _pour(written, out, workspace)
        made.append(Artifact(path=path, role=written.role, media_type=written.media_type, size=size, format=name))
    return made


def _pour(written: Written, out: BinaryIO, workspace: Workspace) -> int:
    """Write a body, runs of stored slices by the fast verified way; the number of bytes."""
    size = 0
    run: list[Slice] = []

    def flush() -> None:
        if run:
            file.append_verified(workspace.store, out, run)
            run.clear()

    def pieces() -> Iterator[Piece]:
        yield from written.body()

    for piece in pieces():
        if isinstance(piece, Slice):
            run.append(piece)
            size += piece.size
        else:
            flush()
            out.write(piece)
            size += len(piece)
    flush()
    return size
