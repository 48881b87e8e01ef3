"""Machines for the tests of components: as few as can be, each with tests that don't collide in it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from finback.component.library import Component, Library, labelled
from finback.component.privilege import is_run
from finback.component.proof import Proof, Sections
from finback.oci.configuration import Configuration
from finback.spec.expectation import Expectation, GuestMachine
from finback.spec.label import effective
from finback.spec.model import Item, Kernel, Settings, Spec
from finback.spec.mount import parse_bind

KERNEL = "finback/kernel"
FORMAT = "kernel+initrd"
# MiB of a test that doesn't say.
MEMORY = 64
# Seconds within which an expectation that doesn't say must hold: other tests start in the same machine.
WITHIN = 240
# MiB that the tests of one machine may need together.
ROOM = 1024
NETWORK = Item(
    name="dhcpcd",
    image="finback/dhcpcd",
    command=("/sbin/dhcpcd", "--nobackground", "-f", "/dhcpcd.conf", "-1"),
)
# What every container may share with others.
COMMON = ("/dev", "/sys", "/proc", "/run", "/tmp", "/etc", "/lib", "/var/log", "/var/run")
_SECTIONS = ("onboot", "onshutdown", "services")
Change = Callable[[Settings], Mapping[str, Any]]
"""Which settings take the place of others, by the settings that a container has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A component's test, in one of the ways in which it can be run."""

    component: Component
    proof: Proof
    variant: str = ""
    """What differs from what the component declares. "": nothing."""
    stand_in: Component | None = None
    """What takes the component's place where sections, not items, bring it into the machine."""

    @property
    def name(self) -> str:
        """The component's name, and the variant's."""
        return " ".join(w for w in (self.component.name, self.variant) if w)

    @property
    def tests(self) -> tuple[Expectation, ...]:
        """What is asked."""
        return tuple(replace(t, within=WITHIN if t.within is None else t.within) for t in self.proof.expect or ())

    def waiting(self, seconds: int) -> Subject:
        """The same, but each test holds within *seconds* or not at all."""
        tests = tuple(replace(t, within=seconds) for t in self.proof.expect or ())
        return replace(self, proof=replace(self.proof, expect=tests))


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine, and the tests that share it."""

    subjects: tuple[Subject, ...]

    @property
    def name(self) -> str:
        """What it is called; no two machines with different subjects share it."""
        return self.subjects[0].name.replace(" ", "-").replace("/", "_")

    @property
    def memory(self) -> int:
        """MiB that the tests need while they run."""
        return sum(s.proof.memory or MEMORY for s in self.subjects)

    @property
    def format(self) -> str:
        """The output format that is booted."""
        return self.subjects[0].proof.format or FORMAT

    def levelled(self) -> Machine:
        """The same machine, but all tests have the time of the most patient one."""
        within = max((t.within or 0 for s in self.subjects for t in s.tests), default=0)
        return Machine(subjects=tuple(s.waiting(within) for s in self.subjects))

    def spec(self, console: str) -> Spec:
        """The system: what all tests bring, each thing once; `tests` in the order of the subjects."""
        first = self.subjects[0].proof
        items = {s: self._once(getattr(subject.proof, s) for subject in self.subjects) for s in _SECTIONS}
        words = [f"console={console}", *([first.cmdline] if first.cmdline else [])]
        sections = [s.proof.sections for s in self.subjects if s.proof.sections is not None]
        network = next((s.network for s in sections if s.network is not None), None)
        lease = () if network or any(i.name == NETWORK.name for i in items["onboot"]) else (NETWORK,)
        return Spec(
            kernel=Kernel(image=first.kernel or KERNEL, cmdline=" ".join(words)),
            init=tuple(dict.fromkeys(("finback/init", *(first.init or ())))),
            network=network,
            disks=self._once(s.disks for s in sections) or None,
            volumes=self._once(s.proof.volumes for s in self.subjects) or None,
            secrets=self._once(s.secrets for s in sections) or None,
            onboot=(*lease, *items["onboot"]) or None,
            onshutdown=items["onshutdown"] or None,
            services=items["services"] or None,
            files=self._once(s.proof.files for s in self.subjects) or None,
            tests=tuple(t for s in self.subjects for t in s.tests),
            machine=self._guest,
        )

    @property
    def _guest(self) -> GuestMachine | None:
        """What the tests ask of the machine itself."""
        proofs = [s.proof for s in self.subjects]
        guest = GuestMachine(
            cpus=max((p.cpus for p in proofs if p.cpus), default=None),
            disks=tuple(d for p in proofs for d in p.disks or ()) or None,
            data=next((p.data for p in proofs if p.data is not None), None),
            tpm=any(p.tpm for p in proofs) or None,
            secrets={k: v for p in proofs for k, v in (p.given or {}).items()} or None,
        )
        return None if guest == GuestMachine() else guest

    @staticmethod
    def _once(parts: Iterable[tuple[Any, ...] | None]) -> tuple[Any, ...]:
        found: list[Any] = []
        for part in itertools.chain.from_iterable(p or () for p in parts):
            if part not in found:
                found.append(part)
        return tuple(found)


def subject(component: Component, change: Change | None = None, variant: str = "") -> Subject:
    """The test of *component*; *change* says which settings its own containers have in place of theirs."""
    proof = component.definition.test or Proof()
    image = f"finback/{component.name}"
    if is_run(component.definition) and not (proof.sections or _names(proof, image)):
        proof = replace(proof, services=(Item(name=component.name, image=image), *(proof.services or ())))
    stand_in = None
    if change is not None:
        label = component.definition.label or Settings()
        sections: dict[str, Any] = {
            s: tuple(_changed(i, label, change) if i.image == image else i for i in getattr(proof, s) or ()) or None
            for s in _SECTIONS
        }
        stand_in = labelled(component, change(label)) if proof.sections else None
        proof = replace(proof, **sections)
    return Subject(component=component, proof=proof, variant=variant, stand_in=stand_in)


def _changed(item: Item, label: Settings, change: Change) -> Item:
    changes = dict(change(effective(item, label, Configuration())))
    # What the item adds to the label's list is in the list by now.
    used_up: dict[str, Any] = {f"{name}_add": None for name in ("binds", "capabilities") if name in changes}
    return replace(item, **changes, **used_up)


def _names(proof: Proof, image: str) -> bool:
    return image in (proof.kernel, *(proof.init or ())) or any(i.image == image for i in _items(proof))


def _items(proof: Proof) -> Iterator[Item]:
    for section in _SECTIONS:
        yield from getattr(proof, section) or ()


def pack(subjects: Iterable[Subject], library: Library, most: int) -> tuple[Machine, ...]:
    """Machines for *subjects*, in their order, at most *most* in each; those that would collide are kept apart."""
    machines: list[tuple[list[Subject], dict[str, object]]] = []
    for one in subjects:
        wanted = _claims(one, library)
        for members, taken in machines:
            room = sum(s.proof.memory or MEMORY for s in (*members, one)) <= ROOM
            if room and len(members) < most and all(taken.get(k, v) == v for k, v in wanted.items()):
                members.append(one)
                taken.update(wanted)
                break
        else:
            machines.append(([one], wanted))
    return tuple(Machine(subjects=tuple(members)) for members, _ in machines)


def _claims(one: Subject, library: Library) -> dict[str, object]:
    """What *one* needs of its machine: two can share it that want nothing different under the same name."""
    proof, own = one.proof, object()
    claims: dict[str, object] = {
        "kernel": proof.kernel or KERNEL,
        "cmdline": proof.cmdline,
        "format": proof.format,
        "init": proof.init,
        f"component {one.component.name}": own,
    }
    # What a test does to its machine, such as a restart, others would not expect.
    if proof.alone or any(t.do for t in one.tests):
        claims["kernel"] = own
    if proof.disks:
        claims["disks"] = own
    if proof.data is not None:
        claims["data"] = proof.data
    claims |= {f"value {name}": value for name, value in (proof.given or {}).items()}
    sections = proof.sections or Sections()
    claims |= {f"secret {s.name}": s for s in sections.secrets or ()}
    if one.stand_in or sections.network:
        # It is what the whole machine goes by.
        claims["kernel"] = own
    claims |= {f"volume {v.name}": v for v in proof.volumes or ()}
    claims |= {f"file {f.path.strip('/')}": f for f in proof.files or ()}
    claims[f"item {NETWORK.name}"] = NETWORK
    for item in _items(proof):
        claims[f"item {item.name}"] = item
        claims |= dict.fromkeys(_exclusive(item, library), item)
    for test in one.tests:
        asked = test.http or test.tcp
        if asked is not None:
            claims.setdefault(f"port {asked.port}/tcp", own)
    return claims


def _exclusive(item: Item, library: Library) -> Iterator[str]:
    """Ports that *item* listens on, and places that it writes to."""
    binds = [*(item.binds or ()), *(item.binds_add or ())]
    name = item.image.removeprefix("finback/")
    if name != item.image and name in library.names():
        definition = library.get(name).definition
        label = definition.label
        net = item.net or (label.net if label else None) or "host"
        if definition.config and net in ("host", "root"):
            yield from (f"port {p}" for p in definition.config.exposed_ports or ())
        if item.binds is None and label is not None:
            binds += label.binds or ()
    for text in binds:
        bind = parse_bind(text)
        if "ro" not in bind.options and not _common(bind.source):
            yield f"path {bind.source}"


def _common(path: str) -> bool:
    return path in COMMON or path.startswith(("/dev/", "/run/resolvconf", "/run/config", "/sys/", "/lib/modules"))
