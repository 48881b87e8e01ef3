"""Consoles of boots that failed, and exactly what is said about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.app.machine.causes import CAUSES, SILENT
from finback.app.machine.diagnosis import diagnose, has_panicked
from finback.app.planning import spec_beside
from finback.cli.render import render
from finback.ground.diagnostic import Family
from finback.ground.source import Source
from finback.spec.load import load_all

CASES = sorted((Path(__file__).parents[2] / "cases" / "boot").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_what_is_said(case: Path, expect: Callable[[Path, str], None]) -> None:
    spec, _ = load_all((Source("build.yml", (case / "build.yml").read_text()),))
    console = (case / "console.log").read_text(errors="replace")
    found = diagnose(console, spec)
    assert found
    for diagnostic in found:
        assert diagnostic.help
        assert diagnostic.family is Family.GUEST
    expect(case / "causes.txt", "\n".join(render(d) for d in found) + "\n")
    # Without the spec the same is said, without lines.
    assert [(d.code, d.span) for d in diagnose(console)] == [(d.code, None) for d in found]


def test_each_row_has_a_code_of_its_own_and_nothing_is_said_of_a_good_boot() -> None:
    codes = [c.code for c in (*CAUSES, SILENT)]
    assert len(set(codes)) == len(codes)
    assert diagnose("[    2.7] Run /init as init process\n[    3.2] finback: onboot 000-sysctl\n") == ()
    assert has_panicked("x\nKernel panic - not syncing: y")


OTHERS = [
    ("Initramfs unpacking failed: write error", "F710", "--mem"),
    ("Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100", "F714", "finback.debug"),
    ("Kernel panic - not syncing: Fatal exception in interrupt\r", "F719", "lines above"),
    (
        "oom-kill:constraint=CONSTRAINT_MEMCG,task_memcg=/w,task=sh,pid=1\n[ 7] Memory cgroup out of memory:",
        "F721",
        "resources",
    ),
    (
        "finback: 000-a: ended, for it may take 2 s\n[ 1] finback: onboot 000-a FAILED with status 143",
        "F724",
        "timeout",
    ),
    ("finback: volume data is not mounted", "F729", "lines above"),
]


@pytest.mark.parametrize(("console", "code", "remedy"), OTHERS, ids=[c for _, c, _ in OTHERS])
def test_the_other_rows(console: str, code: str, remedy: str) -> None:
    (found,) = diagnose(f"[    1.0] {console}\n")
    assert found.code == code
    assert remedy in found.help


def test_the_spec_is_found_beside_its_image(tmp_path: Path) -> None:
    assert spec_beside(tmp_path / "web") is None
    (tmp_path / "web.yml").write_text("nonsense: 1\n")
    assert spec_beside(tmp_path / "web") is None
    (tmp_path / "web.yaml").write_text("kernel: {cmdline: quiet}\n")
    (found,) = diagnose("", spec_beside(tmp_path / "web"))
    assert str(found.span) == f"{tmp_path}/web.yaml:1:19"


@given(st.text(max_size=300))
def test_a_console_may_show_anything(text: str) -> None:
    spec, _ = load_all((Source("t", "services: [{name: a, image: i}]"),))
    for diagnostic in diagnose(f"finback: service a FAILED with status 1 and is not started again\n{text}", spec):
        assert "\x1b" not in render(diagnostic)
