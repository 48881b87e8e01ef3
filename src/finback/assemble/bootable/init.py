"""The first program that the kernel starts is there and can be started.

Source: the kernel's init/main.c, kernel_init: `/init` or what `rdinit=` names in an initramfs, else what `init=` names,
else the first of three names that can be started. A kernel that finds no /init and is told a root mounts that instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from finback.assemble.bootable import Subject
from finback.assemble.bootable._facts import Questions, of_root
from finback.assemble.bootable._program import Program
from finback.assemble.bootable._words import describe
from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span

NAMES = ("/sbin/init", "/etc/init", "/bin/init")
HELP = "add finback/init to `init:`, or an image of your own that has it"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """What is wrong with the first program, for the roots that are to be made."""
    boot = subject.system.boot
    if boot is None:
        return
    words = dict(w.partition("=")[::2] for w in boot.cmdline.split())
    if "initrd" in subject.roots and ("rdinit" in words or "root" not in words):
        yield from _first(subject, (words.get("rdinit") or "/init",), "an initrd")
    if subject.roots - {"initrd", ""}:
        yield from _first(subject, (words["init"],) if words.get("init") else NAMES, "a root on a disk")


def _first(subject: Subject, names: tuple[str, ...], kind: str) -> Iterator[Diagnostic]:
    """The kernel takes the first of *names* that can be started."""
    system = subject.system
    programs = tuple(Program(name=n, platform=system.platform) for n in names)
    troubles = of_root(subject, Questions(programs=programs)).troubles
    if not all(troubles):
        return
    there = next((t for t in troubles if t[0] != "absent"), None)
    if there is None:
        wanted = " or ".join(names)
        message, remedy = f"{kind} needs a first program, and nothing in `init:` or `files:` brings {wanted}", HELP
    else:
        message, remedy = describe(there)
        message = f"the kernel of {kind} {message}"
    yield Diagnostic(code="F190", message=message, span=_span(subject, names), help=remedy)


def _span(subject: Subject, names: tuple[str, ...]) -> Span | None:
    """The line that brings the program: an item of `files`, else the last image of `init`, else the kernel's line."""
    plan = subject.system.plan
    for item in plan.files:
        if f"/{item.path.strip('/')}" in names:
            return item.origin.span
    if plan.init:
        return plan.init[-1].origin.span
    return plan.kernel.origin.span if plan.kernel else None


CHECK = check
