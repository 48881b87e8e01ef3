"""LinuxKit's welcome line: there where a file names LinuxKit's init, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_formats import make_plan

from finback.assemble import build as assembling
from finback.assemble.system import OwnPart
from finback.host.store import Store
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
