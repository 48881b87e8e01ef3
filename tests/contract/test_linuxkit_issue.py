"""LinuxKit's welcome line: there where a file names LinuxKit's init, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_formats import make_plan

from finback.assemble import build as assembling
from finback.assemble import conflict
from finback.assemble.system import OwnPart
from finback.host.store import Store
from finback.resolve.plan import FilePlan
from finback.tree.content import Inline
from finback.tree.entry import File


def issue(store: Store, substitutes: str) -> list[tuple[bytes, bool]]:
    """What `/etc/issue` holds, and whether the first image of `init` may replace it."""
    plan = make_plan(store)
    assert plan.init
    plan = replace(plan, init=tuple(replace(pin, substitutes=substitutes) for pin in plan.init))
    parts = assembling.build(plan, store).parts
    first = next(i for i, part in enumerate(parts) if part.location == "init[0]")
    entries = [(e, n < first) for n, p in enumerate(parts) if isinstance(p, OwnPart) for e in p.entries]
    found = [(e.content, early) for e, early in entries if isinstance(e, File) and e.path == "etc/issue"]
    return [(bytes(c.data), early) for c, early in found if isinstance(c, Inline)]


@pytest.mark.parametrize("name", ["docker.io/linuxkit/init:0123456789abcdef", "docker.io/linuxkit/init"])
def test_a_file_that_names_linuxkits_init_gets_its_welcome_line(store: Store, name: str) -> None:
    ((text, earlier),) = issue(store, name)
    assert text.splitlines()[1] == b"Welcome to LinuxKit"
    assert earlier


@pytest.mark.parametrize("name", ["", "docker.io/linuxkit/runc:1", "docker.io/example/init:1"])
def test_others_get_none(store: Store, name: str) -> None:
    assert issue(store, name) == []


@pytest.mark.parametrize("link", [False, True])
def test_a_file_may_take_its_place(store: Store, link: bool) -> None:
    """LinuxKit's users give their machines another welcome with `files`."""
    plan = make_plan(store)
    mine = FilePlan(index=0, path="etc/issue", symlink="/run/issue", mode=0o777)
    if not link:
        mine = FilePlan(index=0, path="etc/issue", content=store.put(b"mine"), size=4, mode=0o644)
    init = tuple(replace(pin, substitutes="docker.io/linuxkit/init:1") for pin in plan.init)
    system = assembling.build(replace(plan, init=init, files=(mine,)), store)
    assert list(conflict.findings(system, store)) == []
    owners = [
        p.location for p in system.parts if isinstance(p, OwnPart) and any(e.path == "etc/issue" for e in p.entries)
    ]
    assert owners == ["issue", "files[0]"]
