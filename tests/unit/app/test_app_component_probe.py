from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from finback.app.component import probe as component_probe
from finback.app.component.probe import probes
from finback.app.component.trial import Options, Verdict
from finback.app.trial import system as trial
from finback.app.trial.observation import Outcome
from finback.app.trial.system import Trial
from finback.app.workspace import Workspace
from finback.component.bench import Machine, Subject, subject
from finback.component.library import Library
from finback.spec.model import Item

TEXT = """\
summary: s
category: tool
config: {{cmd: [w]}}
label: {{net: new, readonly: true, noNewPrivileges: true, capabilities: [{0}]}}
test: {{expect: [{{console: x}}]}}
"""
# What fails when it is taken away.
NEEDED = "CAP_CHOWN"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    for name, capabilities in (("a", "CAP_CHOWN, CAP_KILL"), ("b", "CAP_KILL"), ("c", "none")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "component.yml").write_text(TEXT.format(capabilities))
    return Library((tmp_path,))


def test_what_is_known_to_pass_is_tried_without_its_privileges_at_once(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[tuple[str, int | None]]] = []

    def verdicts(subjects: Sequence[Subject], options: Options, _: Workspace) -> Iterator[Verdict]:
        asked.append([(s.name, s.tests[0].within) for s in subjects])
        assert options.level == (len(asked) > 1)
        for one in subjects:
            outcome = Outcome(name="x", passed=not one.variant.endswith(NEEDED), seconds=10)
            yield Verdict(
                subject=one, trial=Trial(name=one.name, source="", outcomes=(outcome,), seconds=10), company=()
            )

    monkeypatch.setattr(component_probe, "verdicts", verdicts)
    components = [library.get(n) for n in library.names()]
    options = Options(machines=trial.Options())
    found = {p.component.name: p for p in probes(components, options, cast("Workspace", None), {"a": 100, "c": 7})}
    assert asked == [
        [("b", 240)],
        [("b without CAP_KILL", 30), ("a without CAP_CHOWN", 165), ("a without CAP_KILL", 165)],
    ]
    assert (found["a"].needed, found["a"].unneeded, found["a"].passed) == (("CAP_CHOWN",), ("CAP_KILL",), False)
    assert (found["c"].passed, tuple(found["c"].words())) == (True, ())


def test_all_in_a_machine_have_the_time_of_the_most_patient(library: Library) -> None:
    machine = Machine(subjects=(subject(library.get("a")).waiting(30), subject(library.get("b")).waiting(165)))
    assert [t.within for s in machine.levelled().subjects for t in s.tests] == [165, 165]


def test_what_a_test_adds_stays_when_a_privilege_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "component.yml").write_text(
        "summary: s\ncategory: tool\nconfig: {cmd: [w]}\n"
        "label: {binds: ['/dev:/dev', '/srv:/srv'], net: host, readonly: true, noNewPrivileges: true}\n"
        "test:\n  services: [{name: a, image: finback/a, binds.add: ['/etc/a.conf:/a.conf']}]\n"
        "  expect: [{console: x}]\n"
    )
    tried: dict[str, Item] = {}

    def verdicts(subjects: Sequence[Subject], _: Options, __: Workspace) -> Iterator[Verdict]:
        for one in subjects:
            tried[one.variant] = (one.proof.services or ())[0]
            outcome = Outcome(name="x", passed=not one.variant, seconds=1)
            yield Verdict(
                subject=one, trial=Trial(name=one.name, source="", outcomes=(outcome,), seconds=1), company=()
            )

    monkeypatch.setattr(component_probe, "verdicts", verdicts)
    list(probes([Library((tmp_path,)).get("a")], Options(machines=trial.Options()), cast("Workspace", None)))
    assert {k: (v.binds, v.binds_add) for k, v in tried.items()} == {
        "": (None, ("/etc/a.conf:/a.conf",)),
        "without /srv": (("/dev:/dev", "/etc/a.conf:/a.conf"), None),
        "without /dev": (("/srv:/srv", "/etc/a.conf:/a.conf"), None),
        "without net": (None, ("/etc/a.conf:/a.conf",)),
    }
