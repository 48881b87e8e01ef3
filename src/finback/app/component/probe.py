"""The privilege probe: a component's test with what it declares, then with each privilege taken away.

A privilege without which the test passes as well is not needed, or the test is too weak to show that it is. Where a
virtual machine can't show it, the component says so (`unproven`), and the probe leaves that privilege alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from finback.app.component.trial import Options, Verdict, verdicts
from finback.app.trial.system import Trial
from finback.app.workspace import Workspace
from finback.component import bench
from finback.component.bench import Subject
from finback.component.library import Component
from finback.component.privilege import Privilege, privileges
from finback.ground.diagnostic import Diagnostic
from finback.spec.model import Settings
from finback.spec.mount import parse_bind

# How long a test may take without a privilege, by how long it took with it.
PATIENCE = 1.5
GRACE = 15
# What other engines give a container that asks for nothing: who can do with these needs no `all`.
USUAL = (
    "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What came of probing one component."""

    component: Component
    declared: Verdict
    """What came of its test with what it declares."""
    needed: tuple[str, ...] = ()
    unneeded: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()
    """Left alone: `unproven`, or nothing that could be taken away singly."""

    @property
    def passed(self) -> bool:
        """Whether the component has what it needs, and no more."""
        return self.declared.trial.passed and not self.unneeded

    def words(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The privileges by what came of them."""
        for key in ("needed", "unneeded", "untried"):
            if getattr(self, key):
                yield key, getattr(self, key)

    def findings(self) -> Iterator[Diagnostic]:
        """What is to be mended."""
        known = {p.word: p for p in privileges(self.component.definition)}
        name = self.component.name
        if not self.declared.trial.passed:
            yield Diagnostic(
                code="F740",
                message=f"{name} does not pass its test with what it declares",
                span=self.component.definition.origin.at("test"),
                help="a privilege may be missing; its test says more: finback component test " + name,
            )
        for word in self.unneeded:
            yield Diagnostic(
                code="F741",
                message=f"{name} passes its test without {word}",
                span=known[word].span,
                help="take it away, or let the test ask for what it is for, or say why none can: "
                f"`unproven: {{{word}: ...}}`",
            )


def probes(
    components: Iterable[Component], options: Options, workspace: Workspace, known: Mapping[str, int] | None = None
) -> Iterator[Probe]:
    """Probe *components*; each as the last of its variants has been tried.

    *known* has the seconds of those that need not be tested with what they declare: they pass.
    """
    seconds = known or {}
    subjects = [bench.subject(c) for c in components]
    declared = [_passing(s, seconds[s.name]) for s in subjects if s.name in seconds]
    declared += verdicts([s for s in subjects if s.name not in seconds], options, workspace)
    rounds: list[tuple[int, float, Subject]] = []
    waiting: dict[str, set[str]] = {}
    done: dict[str, Probe] = {}
    for verdict in declared:
        component = verdict.subject.component
        tried, untried = _tried(component) if verdict.trial.passed else ((), ())
        done[component.name] = Probe(component=component, declared=verdict, untried=untried)
        waiting[component.name] = {p.word for p in tried}
        if not tried:
            yield done[component.name]
        took = verdict.trial.seconds
        rounds += [(n, took, _variant(component, p, took)) for n, p in enumerate(tried)]
    # Those of one component need a machine each; side by side are the first of all, then the second of all, and among
    # these what takes as long.
    variants = [s for *_, s in sorted(rounds, key=lambda r: r[:2])]
    for verdict in verdicts(variants, replace(options, again=False, patience=1, level=True), workspace):
        component, word = verdict.subject.component, verdict.subject.variant.removeprefix("without ")
        probe = done[component.name]
        if verdict.trial.trouble and not verdict.trial.outcomes:
            # It could not even be built or started so.
            probe = replace(probe, untried=(*probe.untried, word))
        elif verdict.trial.passed:
            probe = replace(probe, unneeded=(*probe.unneeded, word))
        else:
            probe = replace(probe, needed=(*probe.needed, word))
        done[component.name] = probe
        waiting[component.name].remove(word)
        if not waiting[component.name]:
            order = [p.word for p in privileges(component.definition)]
            yield replace(
                probe,
                needed=tuple(sorted(probe.needed, key=order.index)),
                unneeded=tuple(sorted(probe.unneeded, key=order.index)),
                untried=tuple(sorted(probe.untried, key=order.index)),
            )


def _passing(one: Subject, seconds: int) -> Verdict:
    source = str(one.component.folder / "component.yml")
    return Verdict(subject=one, trial=Trial(name=one.name, source=source, outcomes=(), seconds=seconds), company=())


def _variant(component: Component, privilege: Privilege, seconds: float) -> Subject:
    made = bench.subject(component, partial(_without, privilege.word), f"without {privilege.word}")
    return made.waiting(round(seconds * PATIENCE) + GRACE)


def _tried(component: Component) -> tuple[Sequence[Privilege], tuple[str, ...]]:
    """Privileges that can be taken away singly, and those that are left alone."""
    tried, untried = [], []
    label = component.definition.label or Settings()
    for privilege in privileges(component.definition):
        if privilege.word in (component.definition.unproven or {}):
            untried.append(privilege.word)
        elif _without(privilege.word, label):
            tried.append(privilege)
        elif privilege.word != "shell":
            untried.append(privilege.word)
    return tried, tuple(untried)


def _without(word: str, settings: Settings) -> Mapping[str, Any]:
    """What takes *word* away from *settings*; nothing where it can't be taken away by itself."""
    if word == "all":
        return {"capabilities": USUAL}
    if word.startswith("CAP_"):
        given = {"capabilities": settings.capabilities, "ambient": settings.ambient}
        return {k: tuple(c for c in v if c != word) for k, v in given.items() if v and word in v}
    if word.startswith("/"):
        return {"binds": tuple(b for b in settings.binds or () if parse_bind(b).source != word)}
    if word == "devices":
        return {"devices": (), "binds": tuple(b for b in settings.binds or () if not b.startswith("/dev"))}
    simple: dict[str, dict[str, Any]] = {
        "net": {"net": "new"},
        "pid": {"pid": "new"},
        "ipc": {"ipc": "new"},
        "uts": {"uts": "new"},
        "writable": {"readonly": True},
        "newPrivileges": {"no_new_privileges": True},
        "syscalls": {"syscalls": ()},
        "confinement": {"seccomp": "default", "masked_paths": None, "readonly_paths": None},
    }
    return simple.get(word, {})
