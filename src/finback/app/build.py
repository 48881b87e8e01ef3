"""Build: a plan's system, written in one format or several."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from finback.app.formats import find, named
from finback.app.output import (
    UNLIKE,
    Artifact,
    Place,
    Target,
    check_outputs,
    linked,
    made_of,
    pinned_outputs,
    sweep,
    write,
)
from finback.app.planning import Inputs, make_plan, remember_made
from finback.app.workspace import Workspace
from finback.assemble import build as assembling
from finback.assemble import command_line, conflict, extent, memory
from finback.assemble.bootable import Subject, findings
from finback.assemble.contents import StoreContents
from finback.assemble.system import Compression, Contents, ImagePart, System
from finback.ground.diagnostic import Diagnostic, FinbackError, Severity, error
from finback.ground.event import Noted, Warned, task
from finback.ground.source import Span
from finback.host import file
from finback.outputs import FORMATS, Format, Options, Written
from finback.resolve.plan import Plan
from finback.spec.model import Output

# The store's errors after which the same work can succeed: the damaged index or blob has been removed.
DAMAGE = ("F400", "F401")
# How many damaged blobs a build takes for bad luck. A blob may come to light only as another is made anew.
MENDINGS = 4
DEFAULT_FORMAT = "kernel+initrd"
# Roles of files that are the same in every format.
SAME = ("kernel", "cmdline")
UNITS = {"M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def build(inputs: Inputs, target: Target, workspace: Workspace) -> tuple[Artifact, ...]:
    """Make every artifact. All of them appear together, or none does.

    Raises:
        FinbackError: with what is wrong; what was there before is still there.

    """
    for _ in range(MENDINGS):
        try:
            return _build(inputs, target, workspace)
        except FinbackError as failure:
            codes = {d.code for d in failure.diagnostics}
            if UNLIKE in codes and not workspace.store.distrusts_records:
                # A record of the store may be wrong. What comes out without them is the answer.
                workspace.store.distrust_records()
            elif not codes & set(DAMAGE):
                raise
            # What was damaged has been removed from the store; what it held can be made or fetched again.
            for diagnostic in failure.diagnostics:
                message = diagnostic.message + "; trying again"
                workspace.emit(Warned(diagnostic=replace(diagnostic, message=message, severity=Severity.WARNING)))
    return _build(inputs, target, workspace)


def _build(inputs: Inputs, target: Target, workspace: Workspace) -> tuple[Artifact, ...]:
    plan, spec = make_plan(inputs, workspace, formats=target.formats)
    note_relaxed(plan, workspace)
    chosen = choose_formats(plan, target)
    pinned = pinned_outputs(inputs, plan, chosen) if inputs.frozen else None
    if pinned is not None and len(pinned) < len({name for name, _, _ in chosen}):
        # Nothing will tell afterwards whether a record was right.
        workspace.store.distrust_records()
    system = assembling.build(plan, workspace.store)
    conflicts = tuple(conflict.findings(system, workspace.store))
    if conflicts:
        raise FinbackError(*conflicts)
    contents = StoreContents(workspace.store, plan, workspace.emit)
    roots = {name: form.root for name, form, _ in chosen}
    misfits = tuple(extent.findings(system, roots, workspace.store, contents))
    if misfits:
        raise FinbackError(*misfits)
    check(system, chosen, contents, target, workspace, [f.path for f in spec.files or () if f.optional])
    outputs = [(name, tuple(form.write(system, contents, options))) for name, form, options in chosen]
    _check_names(system, outputs)
    place = Place(target, inputs.output_name)
    sweep(place, outputs)
    with ExitStack() as stack:
        if target.stream is not None:
            # Nothing goes out before everything is known to be right.
            place = Place(replace(target, file=stack.enter_context(workspace.store.scratch()) / "output"), place.name)
        stage = stack.enter_context(file.staging())
        made: list[Artifact] = []
        for name, written in outputs:
            with task(workspace.emit, f"format {name}", f"writing {name}"):
                made += write(name, written, place, stage, workspace.store)
        if pinned is not None:
            check_outputs(made, pinned)
        made += linked(outputs, made, place, stage)
        stage.publish()
        if target.stream is not None:
            file.send(place.path(""), target.stream)
            made = [replace(a, path=Path("-")) for a in made]
    if target.remember and not inputs.frozen:
        remember_made(inputs, plan, made_of(plan, made, chosen), workspace)
    return tuple(_with_memory(a, system, chosen, contents, workspace) for a in made)


def note_relaxed(plan: Plan, workspace: Workspace) -> None:
    """Say which containers are less confined than is usual."""
    names = [c.name for c in plan.containers if c.relaxed]
    if names:
        text = f"less confined than usual: {', '.join(dict.fromkeys(names))}; `finback plan --explain` says how"
        workspace.emit(Noted(text=text))


def check(
    system: System,
    chosen: Sequence[tuple[str, Format, Options]],
    contents: Contents,
    target: Target,
    workspace: Workspace,
    optional: Iterable[str] = (),
) -> None:
    """Make sure, before anything is written, that *system* can boot. *optional*: paths of files that may be left out.

    Raises:
        FinbackError: F190 to F197, all that was found.

    """
    if not target.check:
        message = "nothing was checked: this image may not boot, or its containers may not start"
        workspace.emit(
            Warned(
                diagnostic=Diagnostic(
                    code="F198", message=message, help="leave out --no-check", severity=Severity.WARNING
                )
            )
        )
        return
    subject = Subject(
        system=system,
        roots=frozenset(form.root for _, form, _ in chosen),
        store=workspace.store,
        contents=contents,
        optional=tuple(posixpath.normpath(f"/{path}") for path in optional),
        memory={name: form.memory for name, form, _ in chosen if form.memory is not None},
    )
    lines = [f for name, form, _ in chosen for f in command_line.findings(system, name, form.ways)]
    found = (*dict.fromkeys(lines), *findings(subject))
    if system.boot is None or not any(subject.roots):
        # A tar may be meant for something else than booting.
        found = tuple(replace(f, severity=Severity.WARNING) for f in found)
    errors = [f for f in found if f.severity is Severity.ERROR]
    for finding in found:
        if finding.severity is Severity.WARNING:
            workspace.emit(Warned(diagnostic=finding))
    if errors:
        raise FinbackError(*errors)


def _with_memory(
    made: Artifact,
    system: System,
    chosen: Sequence[tuple[str, Format, Options]],
    contents: Contents,
    workspace: Workspace,
) -> Artifact:
    """*made* with the memory that it states. Every part of an initrd has been converted by now."""
    boot = system.boot
    form, options = next((f, o) for name, f, o in chosen if name == made.format)
    if boot is None or form.root != "initrd" or made.role in SAME:
        return made
    parts = [p for p in system.parts if isinstance(p, ImagePart)]
    initrd = sum(contents.segment(p, options.compression).size for p in parts)
    tree = memory.of_system(system, workspace.store, contents)
    needed = memory.stated(tree, initrd, boot.kernel.size, limited=memory.limited(boot.cmdline))
    return replace(made, memory=needed // memory.MIB)


def _check_names(system: System, outputs: Sequence[tuple[str, tuple[Written, ...]]]) -> None:
    """No file is written by two formats, unless it is the same in both: the kernel, or its command line.

    Raises:
        FinbackError: F018, one would be.

    """
    names: dict[str, str] = {}
    for name, written in outputs:
        for one in written:
            other = names.setdefault(one.suffix, name)
            if other != name and one.role not in SAME:
                raise error(
                    "F018",
                    f"{other} and {name} both write {system.name}{one.suffix}",
                    help="build one of them into another folder with --dir, or with another --name",
                )


def choose_formats(plan: Plan, target: Target) -> tuple[tuple[str, Format, Options], ...]:
    """The formats that the command line names, or else the spec, or else the default, with their options.

    Raises:
        FinbackError: F010 unknown format; F023 the format can't go where it shall; F024 it needs a kernel.

    """
    wanted = named(target.formats, plan.outputs)
    if not wanted:
        wanted = (Output(format="tar" if target.file or target.stream else DEFAULT_FORMAT),)
    chosen = []
    for output in wanted:
        name, form = output.format, find(output)
        if (target.stream or target.file) and (not form.streamable or len(wanted) > 1):
            raise error(
                "F023",
                f"{name} has several files and can't be written to one",
                help="leave --o out, or name one streamable format: "
                + ", ".join(n for n, f in FORMATS if f.streamable),
            )
        if form.needs_kernel and plan.kernel is None:
            raise error("F024", f"{name} needs a kernel and the spec names none", help="add a `kernel:` section")
        options = Options(compression=_compression(output, form, target), size=_size(output, form, target))
        chosen.append((name, form, options))
    if target.size and not any(f.sized for _, f, _ in chosen):
        raise _sizeless(chosen[0][0], None)
    return tuple(chosen)


def _size(output: Output, form: Format, target: Target) -> int | None:
    if output.size and not form.sized:
        raise _sizeless(output.format, output.origin.at("size"))
    # The command line's size is for those formats that have one.
    text = (target.size or output.size) if form.sized else None
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,9})([MGT])", text, re.ASCII)
    if not found or not int(found[1]):
        span = None if target.size else output.origin.at("size")
        raise error("F028", f"{text!r} is no size of a disk", span, help="write a number and M, G or T: 4G")
    return int(found[1]) * UNITS[found[2]]


def _sizeless(name: str, span: Span | None) -> FinbackError:
    sized = ", ".join(n for n, f in FORMATS if f.sized)
    return error(
        "F027",
        f"{name} is as large as what it holds and takes no size",
        span,
        help=f"leave the size out; formats that take one: {sized}",
    )


def _compression(output: Output, form: Format, target: Target) -> Compression:
    span = output.origin.at("compression") if output.compression and target.compression is None else None
    known = ", ".join(form.compressions)
    try:
        written = Compression.parse(output.compression) if output.compression else Compression(form.compressions[0])
    except ValueError as failure:
        raise error("F025", str(failure), span, help=f"write one of {known}; a level after a colon if wanted") from None
    chosen = target.compression or written
    if chosen.method not in form.compressions:
        help_ = f"choose one of {known}"
        raise error("F019", f"{output.format} can't be compressed by {chosen.method}", span, help=help_)
    return chosen
