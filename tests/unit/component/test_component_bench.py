from __future__ import annotations

from pathlib import Path

import pytest

from finback.component.bench import Machine, pack, subject
from finback.component.library import Library
from finback.ground.source import Source
from finback.spec.dump import to_yaml
from finback.spec.expectation import GuestMachine
from finback.spec.load import load_spec

WEB = "config: {cmd: [w], exposedPorts: [80/tcp]}\ntest: {expect: [{http: {port: 80}}]}"
QUIET = "test: {expect: [{console: done}]}"


def library(folder: Path, **components: str) -> Library:
    for name, text in components.items():
        (folder / name).mkdir()
        (folder / name / "component.yml").write_text(f"summary: s\ncategory: tool\n{text}\n")
    return Library((folder,))


def machines(known: Library, most: int = 8) -> list[list[str]]:
    packed = pack([subject(known.get(n)) for n in known.names()], known, most)
    return [[s.name for s in m.subjects] for m in packed]


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        (QUIET, QUIET, True),
        (WEB, QUIET, True),
        (WEB, WEB, False),
        ("config: {cmd: [w], exposedPorts: [80/tcp]}\n" + QUIET, WEB, False),
        ("config: {cmd: [w], exposedPorts: [80/tcp]}\nlabel: {net: new}\n" + QUIET, WEB, True),
        ("config: {cmd: [w], exposedPorts: [80/udp]}\n" + QUIET, WEB, True),
        ("test: {kernel: finback/kernel-host, expect: [{console: x}]}", QUIET, False),
        ("test: {cmdline: quiet, expect: [{console: x}]}", QUIET, False),
        ("test: {init: [finback/runc], expect: [{console: x}]}", QUIET, False),
        ("test: {alone: it sets the clock, expect: [{console: x}]}", QUIET, False),
        ("test: {disks: [64M], expect: [{console: x}]}", "test: {disks: [64M], expect: [{console: x}]}", False),
        ("test: {disks: [64M], expect: [{console: x}]}", QUIET, True),
        ("test: {expect: [{do: {reboot: true}}, {console: x}]}", QUIET, False),
        ("test: {data: a, expect: [{console: x}]}", "test: {data: b, expect: [{console: x}]}", False),
        ("label: {binds: ['/var/x:/x']}\n" + QUIET, "label: {binds: ['/var/x:/y']}\n" + QUIET, False),
        ("label: {binds: ['/var/x:/x:ro']}\n" + QUIET, "label: {binds: ['/var/x:/y:ro']}\n" + QUIET, True),
        ("label: {binds: ['/dev:/dev']}\n" + QUIET, "label: {binds: ['/dev:/dev']}\n" + QUIET, True),
        ("test: {sections: {secrets: [{name: s}]}, given: {s: a}, expect: [{console: x}]}",
         "test: {sections: {secrets: [{name: s}]}, given: {s: b}, expect: [{console: x}]}", False),
        ("test: {sections: {secrets: [{name: s}]}, given: {s: a}, expect: [{console: x}]}",
         "test: {sections: {secrets: [{name: t}]}, given: {t: b}, expect: [{console: x}]}", True),
        ("test: {sections: {network: {interfaces: []}}, expect: [{console: x}]}", QUIET, False),
        ("test: {memory: 700, expect: [{console: x}]}", "test: {memory: 700, expect: [{console: x}]}", False),
        ("test: {services: [{name: x, image: finback/a}], expect: [{console: x}]}",
         "test: {services: [{name: x, image: finback/b}], expect: [{console: x}]}", False),
        ("test: {services: [{name: x, image: finback/b}], expect: [{console: x}]}",
         "test: {services: [{name: x, image: finback/b}], expect: [{console: x}]}", True),
        ("test: {files: [{path: etc/x, contents: a}], expect: [{console: x}]}",
         "test: {files: [{path: /etc/x, contents: b}], expect: [{console: x}]}", False),
    ],
)  # fmt: skip
def test_what_collides_is_kept_apart(first: str, second: str, shared: bool, tmp_path: Path) -> None:
    assert len(machines(library(tmp_path, a=first, b=second))) == (1 if shared else 2)


def test_no_machine_is_fuller_than_asked_for(tmp_path: Path) -> None:
    known = library(tmp_path, a=QUIET, b=QUIET, c=QUIET)
    assert machines(known, 2) == [["a", "b"], ["c"]]


def test_the_machine_has_each_thing_once_and_all_that_is_asked(tmp_path: Path) -> None:
    items = "services: [{name: db, image: finback/db}], onboot: [{name: s, image: finback/c}]"
    shared = f"config: {{cmd: [w]}}\ntest: {{{items}, expect: [{{console: x}}]}}"
    known = library(tmp_path, a=shared, b=shared, c=QUIET, db=WEB)
    subjects = tuple(subject(known.get(n)) for n in ("a", "b", "db"))
    spec = Machine(subjects=subjects).spec("ttyS0")
    assert load_spec(Source("x", to_yaml(spec))) == spec
    assert [i.name for i in spec.services or ()] == ["a", "db", "b"]
    assert [i.name for i in spec.onboot or ()] == ["dhcpcd", "s"]
    assert spec.tests == tuple(t for s in subjects for t in s.tests)


def test_a_variant_changes_the_components_own_containers_alone(tmp_path: Path) -> None:
    text = "test: {services: [{name: a, image: finback/a}, {name: b, image: finback/b}], expect: [{console: x}]}"
    known = library(tmp_path, a=text, b=QUIET)
    changed = subject(known.get("a"), lambda _: {"capabilities": ("CAP_CHOWN",)}, "without CAP_KILL")
    assert [i.capabilities for i in changed.proof.services or ()] == [("CAP_CHOWN",), None]
    assert changed.name == "a without CAP_KILL"


def test_sections_bring_components_into_the_machine(tmp_path: Path) -> None:
    label = "config: {cmd: [w]}\nlabel: {readonly: true, capabilities: [CAP_CHOWN]}\n"
    network = "test: {sections: {network: {networks: [{name: n}]}, secrets: [{name: s}]}, given: {s: v}, cpus: 2, "
    known = library(tmp_path, network=label + network + "tpm: true, expect: [{console: x}]}", a=QUIET)
    one = subject(known.get("network"))
    spec = Machine(subjects=(one,)).spec("ttyS0")
    assert spec.network
    assert (spec.onboot, spec.services) == (None, None)
    assert spec.machine == GuestMachine(cpus=2, tpm=True, secrets={"s": "v"})
    assert one.stand_in is None
    # No item is there that could be changed: the component itself is another.
    changed = subject(known.get("network"), lambda _: {"capabilities": ()}, "without CAP_CHOWN").stand_in
    assert changed
    assert changed.definition.label
    assert (changed.definition.label.capabilities, changed.definition.label.readonly) == ((), True)
    assert changed.digest != known.get("network").digest
    other = known.having(changed)
    assert (other.get("network"), other.get("a")) == (changed, known.get("a"))
    assert (other.is_added("network"), known.is_added("network")) == (True, False)


def test_what_is_only_said_of_a_component_leaves_its_digests_alone(tmp_path: Path) -> None:
    plain = library(tmp_path, a=QUIET).get("a")
    (tmp_path / "a" / "component.yml").write_text(
        "summary: s\ncategory: time\nreasons: {net: why}\nanswers: [x]\n" + QUIET[:-1] + ", unseen: it}\n"
    )
    said = Library((tmp_path,)).get("a")
    assert (said.digest, said.proof_digest) == (plain.digest, plain.proof_digest)
    (tmp_path / "a" / "component.yml").write_text("summary: s\ncategory: tool\ntest: {expect: [{console: x}]}\n")
    other = Library((tmp_path,)).get("a")
    assert other.digest == plain.digest
    assert other.proof_digest != plain.proof_digest
