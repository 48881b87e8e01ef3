from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from finback.app.component import record
from finback.app.component.check import check_components
from finback.app.component.probe import Probe
from finback.app.component.trial import Verdict
from finback.app.trial.observation import Outcome
from finback.app.trial.system import Trial
from finback.app.workspace import Workspace
from finback.component import measurement
from finback.component.bench import subject
from finback.component.library import Component, Library

TEXT = """\
summary: s
category: tool
config: {cmd: [w]}
label: {net: host, readonly: true, noNewPrivileges: true, capabilities: [CAP_CHOWN, CAP_KILL]}
test: {expect: [{console: x}]}
"""


def component(folder: Path, more: str = "") -> Component:
    (folder / "a").mkdir(exist_ok=True)
    (folder / "a" / "component.yml").write_text(TEXT + more)
    return Library((folder,)).get("a")


def verdict(of: Component, *, passed: bool = True) -> Verdict:
    outcome = Outcome(name='a "name": #1', passed=passed, asked=True, seconds=2, seen="")
    trial = Trial(name="a", source="a.yml", outcomes=(outcome,), seconds=12.4)
    return Verdict(subject=subject(of), trial=trial, company=())


def test_a_test_is_known_until_the_component_changes(tmp_path: Path) -> None:
    first = component(tmp_path)
    assert (record.tested(first), record.passed_in(first, "amd64")) == (None, None)
    record.record_test(verdict(first), "amd64")
    found = record.tested(first)
    assert found is not None
    assert found.tests == ('a "name": #1',)
    assert (record.passed_in(first, "amd64"), record.passed_in(first, "arm64")) == (12, None)
    assert record.passed_in(component(tmp_path, "reasons: {CAP_KILL: r}\n"), "amd64") == 12
    assert record.passed_in(component(tmp_path, "users: [{name: w, uid: 7}]\n"), "amd64") is None
    record.record_test(verdict(first, passed=False), "amd64")
    assert record.passed_in(first, "amd64") is None


@pytest.mark.parametrize(
    ("unproven", "passed", "unneeded", "untried"),
    [
        ("", False, ("net", "CAP_KILL"), ("shell",)),
        ("unproven: {net: r}\n", False, ("CAP_KILL",), ("shell", "net")),
        ("unproven: {net: r, CAP_KILL: r, CAP_CHOWN: r}\n", True, None, ("shell", "net", "CAP_KILL")),
    ],
)
def test_what_nothing_can_prove_is_not_held_against_a_probe(
    tmp_path: Path, unproven: str, passed: bool, unneeded: tuple[str, ...] | None, untried: tuple[str, ...]
) -> None:
    first = component(tmp_path)
    assert record.probed(first) is None
    needed, too_much = ("CAP_CHOWN",), ("net", "CAP_KILL")
    record.record_probe(
        Probe(component=first, declared=verdict(first), needed=needed, unneeded=too_much, untried=("shell",)), "amd64"
    )
    found = record.probed(component(tmp_path, unproven))
    assert found is not None
    assert found.digest == str(first.proof_digest)
    assert (found.passed, found.needed, found.unneeded, found.untried) == (passed, needed, unneeded, untried)


def test_what_was_recorded_of_another_state_is_said(tmp_path: Path) -> None:
    first = component(tmp_path)
    record.record_test(verdict(first), "amd64")
    measurement.record(
        first,
        *(
            measurement.Measurement(
                architecture=a, digest=str(first.digest), size=1, files=1, programs=1, packages=1, closure_packages=1,
                closure_size=1,
            )
            for a in ("amd64", "arm64")
        ),
    )  # fmt: skip

    def said() -> list[tuple[str, str]]:
        workspace = cast("Workspace", SimpleNamespace(library=Library((tmp_path,))))
        return [(d.code, d.message) for d in check_components(("a",), (), workspace) if d.code in ("F107", "F108")]

    assert said() == []
    component(tmp_path, "users: [{name: w, uid: 7}]\n")
    assert said() == [
        ("F107", "a has changed since it was measured"),
        ("F107", "a has changed since its last test"),
    ]
