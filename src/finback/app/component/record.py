"""What tests of components came to, as files in the components' folders."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from finback.app.component.probe import Probe
from finback.app.component.trial import Verdict
from finback.component.library import Component
from finback.ground.source import Origin, Source, origin
from finback.host import file
from finback.spec.decode import load

TESTED = "tested.yml"
PROBED = "probed.yml"
LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The last recorded test of a component."""

    digest: str
    """Of what was tested: `Component.proof_digest`."""
    architecture: str
    passed: bool
    seconds: int
    """From the start of the machine until all held. Other tests may have run in it."""
    tests: tuple[str, ...] | None = None
    """What was asked."""
    origin: Origin = origin()


def record_test(verdict: Verdict, architecture: str) -> None:
    """Write down what came of a test."""
    component, trial = verdict.subject.component, verdict.trial
    lines = [
        "# Written by `finback component test --record`.",
        f"digest: {component.proof_digest}",
        f"architecture: {architecture}",
        f"passed: {'true' if trial.passed else 'false'}",
        f"seconds: {round(trial.seconds)}",
        *(["tests:"] if trial.outcomes else []),
        *(f"  - {_quoted(o.name)}" for o in trial.outcomes),
    ]
    with file.writing(component.folder / TESTED) as out:
        out.write("\n".join([*lines, ""]).encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """The last recorded probe of a component."""

    digest: str
    """Of what was probed: `Component.proof_digest`."""
    architecture: str
    passed: bool
    needed: tuple[str, ...] | None = None
    """Privileges without which the test fails."""
    unneeded: tuple[str, ...] | None = None
    """Privileges without which it passes as well."""
    untried: tuple[str, ...] | None = None
    """Privileges that were left alone."""
    origin: Origin = origin()


def record_probe(probe: Probe, architecture: str) -> None:
    """Write down what came of a probe."""
    lines = [
        "# Written by `finback component probe --record`.",
        f"digest: {probe.component.proof_digest}",
        f"architecture: {architecture}",
        f"passed: {'true' if probe.passed else 'false'}",
        *(f"{key}: [{', '.join(words)}]" for key, words in probe.words()),
    ]
    with file.writing(probe.component.folder / PROBED) as out:
        out.write("\n".join([*lines, ""]).encode())


def probed(component: Component) -> Probed | None:
    """The recorded probe of *component*, if there is one, for whatever state of it.

    What it found unneeded, and is `unproven` by now, counts as left alone: a new probe would not try it.
    """
    path = component.folder / PROBED
    if not path.exists():
        return None
    record = load(Probed, _source(path))
    words, said = record.unneeded or (), component.definition.unproven or {}
    if not any(w in said for w in words):
        return record
    left = tuple(w for w in words if w not in said)
    alone = (*(record.untried or ()), *(w for w in words if w in said))
    return replace(record, passed=not left, unneeded=left or None, untried=alone)


def tested(component: Component) -> Tested | None:
    """The recorded test of *component*, if there is one, for whatever state of it."""
    path = component.folder / TESTED
    return load(Tested, _source(path)) if path.exists() else None


def passed_in(component: Component, architecture: str) -> int | None:
    """The seconds in which *component*, as it is, passed its last recorded test on *architecture*."""
    record = tested(component)
    if record is None or not record.passed or record.architecture != architecture:
        return None
    return record.seconds if record.digest == str(component.proof_digest) else None


def _source(path: Path) -> Source:
    return Source(str(path), file.read(path, limit=LIMIT).decode("utf-8", "surrogateescape"))


def _quoted(text: str) -> str:
    """A double-quoted YAML scalar; JSON's strings are some."""
    return json.dumps(text)
