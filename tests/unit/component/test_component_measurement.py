"""Recorded sizes, and that they are complete."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from finback.component.library import Library
from finback.component.measurement import Measurement, measured, record
from finback.ground import canonical
from finback.ground.diagnostic import FinbackError

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = Library((ROOT / "components",))
ONE = Measurement(
    architecture="amd64", digest="sha256:1", size=5, files=2, programs=1, packages=1, closure_packages=3,
    closure_size=70, version="1:2", set_id=("/usr/bin/su",), licences=("MIT", "Zlib"), language="go",
)  # fmt: skip
# What the talk names; the library has more.
TALK = ("orchestration", "image", "secret", "configuration", "network", "provisioning")


# Slow only because measuring needs Debian's archive: a component may be added without it.
@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY.names())
def test_every_component_was_measured(name: str) -> None:
    component = LIBRARY.get(name)
    found = measured(component)
    wanted = {"amd64", "arm64"} & set(component.architectures)
    advice = (
        f"run `finback library build {name}` and `finback library measure {name} --record`, with --arch amd64,arm64"
    )
    assert wanted <= set(found), advice
    assert set(found) <= set(component.architectures)
    for one in found.values():
        assert one.size > 0
        assert one.files > 0
        assert one.programs <= one.files
        assert one.packages <= max(one.closure_packages, 1) or not component.definition.packages
        assert not [i for i in one.licences or () if re.search(r"[()]| AND | OR ", i)]


def test_what_is_said_to_be_memory_safe_is() -> None:
    said = {n: (LIBRARY.get(n).definition.annotations or {}).get("org.finback.memory-safe") for n in LIBRARY.names()}
    for name, language in said.items():
        known = {m.language for m in measured(LIBRARY.get(name)).values()} - {None}
        assert language is None or known <= {language}, name
    assert len([n for n in said if said[n] == "rust"]) >= 4


def test_the_library_is_as_large_as_it_is_said_to_be() -> None:
    components = [LIBRARY.get(n) for n in LIBRARY.names()]
    assert len(components) >= 120
    assert set(TALK) <= {c.definition.category for c in components}
    for architecture, least in (("amd64", 120), ("arm64", 120), ("s390x", 100), ("riscv64", 100)):
        assert sum(architecture in measured(c) for c in components) >= least


def test_no_component_has_a_set_id_file_but_those_that_say_so() -> None:
    found = {n for n in LIBRARY.names() for m in measured(LIBRARY.get(n)).values() if m.set_id}
    assert found <= SET_ID


SET_ID: set[str] = set()


def test_a_record_is_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "component.yml").write_text("summary: X\ncategory: tool\nexceptions: {s390x: why}\n")
    component = Library((tmp_path,)).get("x")
    other = replace(ONE, architecture="arm64", set_id=None)
    record(component, ONE)
    record(component, other, replace(ONE, architecture="s390x"))
    assert [canonical.plain(m) for m in measured(component).values()] == [canonical.plain(m) for m in (ONE, other)]
    (folder / "measured.yml").write_text("images: [{architecture: amd64, size: many}]\n")
    with pytest.raises(FinbackError):
        measured(component)
