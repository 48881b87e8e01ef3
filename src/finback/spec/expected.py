"""What can be known to be wrong in `tests` and `machine`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields

from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span
from finback.spec.expectation import Action, CommandResult, Expectation, FileState
from finback.spec.model import Item, Spec
from finback.spec.settings import did_you_mean, problem
from finback.spec.supervised import MAX_SECONDS

KINDS = tuple(f.name for f in fields(Expectation) if f.name not in ("name", "within", "origin"))
ACTIONS = {f.name: f.metadata.get("key", f.name) for f in fields(Action) if f.name != "origin"}
DISK = re.compile(r"([1-9]\d{0,5})([MG])(?:,bus=(virtio|sata|nvme|scsi))?(?:,serial=([A-Za-z0-9._-]{1,20}))?", re.ASCII)
MIB = 1 << 20


def check_tests(spec: Spec) -> Iterator[Diagnostic]:
    """All findings about the tests of *spec*."""
    services = {s.name: s for s in spec.services or ()}
    for test in spec.tests or ():
        yield from _kind(test)
        if test.within is not None and not 1 <= test.within <= MAX_SECONDS:
            advice = f"write seconds, 1 to {MAX_SECONDS}"
            yield problem("F064", f"`within: {test.within}` is out of range", test.origin.at("within"), advice)
        if test.console == "":
            yield problem("F067", "every line has that", test.origin.at("console"), "write a text to look for")
        for asked in (test.http, test.tcp):
            if asked is not None:
                yield from _port(asked.port, asked.origin.at("port"))
                if spec.machine is not None and spec.machine.networking == "none":
                    advice = "remove `networking: none` of `machine`, or ask with `exec`"
                    yield problem("F067", "the machine has no network", asked.origin.at("port"), advice)
        if test.http and test.http.path is not None and not test.http.path.startswith("/"):
            advice = f"write `path: /{test.http.path}`"
            yield problem("F067", "a path begins with /", test.http.origin.at("path"), advice)
        yield from _service(test, services)
        yield from _exec(test.exec, services)
        if test.file is not None:
            yield from _file(test.file, services)
        if test.do is not None:
            yield from _action(test.do, services)
        if test.size is not None and test.size.most < 1:
            yield problem("F064", "nothing is that small", test.size.origin.at("most"), "write megabytes: `most: 40`")
    yield from _machine(spec)


def disk(text: str) -> tuple[int, str, str] | None:
    """Size in bytes, bus and serial number of `2G,bus=sata,serial=x`, "" where not said; None when it is no disk."""
    found = DISK.fullmatch(text)
    return (int(found[1]) * (MIB << 10 if found[2] == "G" else MIB), found[3] or "", found[4] or "") if found else None


def _machine(spec: Spec) -> Iterator[Diagnostic]:
    machine = spec.machine
    if machine is None:
        return
    if machine.memory is not None and not 16 <= machine.memory <= MIB:
        advice = "write MiB: `memory: 2048`"
        yield problem("F064", f"{machine.memory} MiB is no memory", machine.origin.at("memory"), advice)
    if machine.cpus is not None and not 1 <= machine.cpus <= 256:
        advice = "write a number from 1 to 256"
        yield problem("F064", f"{machine.cpus} processors are no machine", machine.origin.at("cpus"), advice)
    for i, text in enumerate(machine.disks or ()):
        if disk(text) is None:
            advice = "write a number and M or G: 2G; with `,bus=nvme` and `,serial=WORD` behind it where these matter"
            yield problem("F028", f"{text!r} is no disk", machine.origin.at("disks", i), advice)


def _kind(test: Expectation) -> Iterator[Diagnostic]:
    given = [k for k in KINDS if getattr(test, k) is not None]
    if len(given) == 1 or any((k,) in test.origin.spans and getattr(test, k) is None for k in KINDS):
        return
    if given:
        message = f"a test asks one thing, not {' and '.join(f'`{k}`' for k in given)}"
        yield problem("F066", message, test.origin.at(given[1]), "make two tests of it")
    else:
        yield problem("F066", "this test asks nothing", test.origin.span, f"add one of {', '.join(KINDS)}")


def _port(port: int, span: Span | None) -> Iterator[Diagnostic]:
    if not 0 < port < 65536:
        yield problem("F064", f"{port} is not a port", span, "write a number from 1 to 65535")


def _service(test: Expectation, services: dict[str, Item]) -> Iterator[Diagnostic]:
    asked = test.service
    if asked is None:
        return
    service = services.get(asked.name)
    if service is None:
        yield _unknown(asked.name, asked.origin.at("name"), services)
    elif asked.state in ("ready", "unready") and service.ready is None:
        advice = f"write `state: up`, or give {asked.name} a `ready:`"
        yield problem("F067", f"{asked.name} never says whether it is ready", asked.origin.at("state"), advice)
    elif asked.state in ("done", "failed") and service.restart in (None, "always") and service.start_limit is None:
        advice = f"give {asked.name} a `startLimit:`, or another `restart:`"
        yield problem("F067", f"{asked.name} is always started again", asked.origin.at("state"), advice)


def _exec(asked: CommandResult | None, services: dict[str, Item]) -> Iterator[Diagnostic]:
    if asked is None:
        return
    if asked.service is not None and asked.service not in services:
        yield _unknown(asked.service, asked.origin.at("service"), services)
    if not asked.command or not asked.command[0]:
        yield problem("F067", "there is no command", asked.origin.at("command"), "name a program and its arguments")


def _file(file: FileState, services: dict[str, Item]) -> Iterator[Diagnostic]:
    at = file.origin.at
    if file.service is not None and file.service not in services:
        yield _unknown(file.service, at("service"), services)
    if not file.path.startswith("/"):
        advice = f"write `path: /{file.path.lstrip('./')}`"
        yield problem("F064", f"the path {file.path!r} is not absolute", at("path"), advice)
    if file.exists is False and file.contains is not None:
        yield problem("F067", "what is not there contains nothing", at("contains"), "remove `contains` or `exists`")


def _action(action: Action, services: dict[str, Item]) -> Iterator[Diagnostic]:
    given = [key for name, key in ACTIONS.items() if getattr(action, name)]
    unreadable = any((k,) in action.origin.spans and getattr(action, n) is None for n, k in ACTIONS.items())
    if len(given) != 1 and not unreadable:
        what = " and ".join(f"`{k}`" for k in given)
        span = action.origin.at(given[1]) if given else action.origin.span
        advice = "make several of it, one after the other" if given else f"add one of {', '.join(ACTIONS.values())}"
        yield problem("F066", f"a `do` does one thing, not {what}" if given else "this does nothing", span, advice)
    if action.kill is not None and action.kill not in services:
        yield _unknown(action.kill, action.origin.at("kill"), services)
    yield from _exec(action.exec, services)


def _unknown(name: str, span: Span | None, services: dict[str, Item]) -> Diagnostic:
    advice = did_you_mean(name, services, "name a service of this file")
    return problem("F061", f"there is no service {name!r}", span, advice)
