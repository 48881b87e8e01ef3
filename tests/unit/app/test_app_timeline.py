from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from finback.app.machine.timeline import Report, boot_failed, draw, parse, steps


def report(uptime: float, stage: str, name: str, event: str, status: int = 0) -> Report:
    return Report(uptime=uptime, stage=stage, name=name, event=event, status=status)


BOOT = (
    report(3.0, "init", "init", "started"),
    report(3.1, "init", "init", "done"),
    report(3.1, "onboot", "000-a", "started"),
    report(4.1, "onboot", "000-a", "failed", 2),
    report(4.2, "init", "services", "started"),
    report(4.2, "service", "w", "started"),
    report(4.3, "service", "v", "started"),
    report(5.0, "service", "w", "up"),
)


def test_a_service_is_shown_until_it_is_ready() -> None:
    told = (
        report(1, "init", "init", "started"),
        report(2, "service", "w", "waiting"),
        report(3, "service", "w", "started"),
        report(4, "service", "w", "up"),
        report(6, "service", "w", "ready"),
    )
    (_, _, first) = steps(told)
    assert (first.begin, first.end, first.outcome) == (3, 6, "ready")
    again = (
        report(7, "service", "w", "waiting"),
        report(8, "service", "w", "started"),
        report(9, "service", "w", "ready"),
    )
    (_, _, later) = steps((*told, report(7, "service", "w", "stopped", 1), *again))
    assert (later.end, later.outcome, later.starts) == (6, "ready", 2)


def test_a_boot_is_shown_as_stretches() -> None:
    assert [(s.name, s.begin, s.end, s.outcome) for s in steps(BOOT)] == [
        ("kernel and modules", 0, 3.0, "done"),
        ("init", 3.0, 3.1, "done"),
        ("onboot 000-a", 3.1, 4.1, "failed (2)"),
        ("service w", 4.2, 5.0, "up"),
        ("service v", 4.3, None, "started"),
    ]


def test_what_comes_after_the_boot_does_not_lengthen_it() -> None:
    later = (
        report(900, "service", "w", "stopped", 1),
        report(901, "service", "w", "started"),
        report(902, "service", "w", "up"),
        report(950, "service", "v", "stopped"),
        report(990, "shutdown", "000-x", "started"),
        report(991, "shutdown", "000-x", "done"),
    )
    rows = {s.name: s for s in steps(BOOT + later)}
    assert len(rows) == 5
    assert (rows["service w"].end, rows["service w"].outcome, rows["service w"].starts) == (5.0, "up", 2)
    assert (rows["service v"].end, rows["service v"].outcome) == (None, "stopped")
    text = draw(BOOT + later)
    assert text.splitlines()[-1].split() == ["total", "5.00", "s"]
    assert "2 starts" in text


def test_the_table_has_a_bar_a_step() -> None:
    lines = draw(BOOT).splitlines()
    assert len(lines) == 6
    assert all("━" in line for line in lines[:-1])
    assert lines[4].split()[:5] == ["service", "v", "4.30", "s", "…"]
    assert draw(()) == "no timeline yet"


def test_lines_that_are_no_reports_are_left_out() -> None:
    good = {"uptime": 1, "stage": "init", "name": "in\x1b[2Jit", "event": "started", "status": 0}
    lines = [
        "", "nonsense", "[]", "3", json.dumps({**good, "uptime": "x"}), json.dumps({**good, "uptime": -1}),
        '{"uptime": NaN, "stage": "a", "name": "b", "event": "c"}', json.dumps({**good, "name": 4}),
        json.dumps(good), '{"uptime": 2, "stage": "in',
    ]  # fmt: skip
    found = parse("\n".join(lines))
    assert [(r.uptime, r.name) for r in found] == [(1.0, "init")]


@given(st.lists(st.tuples(st.floats(0, 1e9), st.sampled_from(["init", "onboot", "service", "shutdown", "?"]),
                          st.sampled_from("ab"), st.sampled_from(["started", "up", "done", "failed", "stopped", "?"]),
                          st.integers(-9, 300))))  # fmt: skip
def test_any_sequence_of_reports_can_be_drawn(rows: list[tuple[float, str, str, str, int]]) -> None:
    assert draw(report(*r) for r in rows)


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    assert all(r.name.isprintable() for r in parse(text))


def test_a_boot_that_was_given_up() -> None:
    def line(stage: str, name: str, event: str) -> str:
        return json.dumps({"uptime": 1, "stage": stage, "name": name, "event": event}) + "\n"

    begun, given_up = line("init", "init", "started"), line("init", "boot", "poweroff")
    failed = line("onboot", "000-a", "failed")
    assert not boot_failed(parse(begun + failed))
    assert boot_failed(parse(begun + failed + given_up))
    assert not boot_failed(parse(begun + given_up + begun))
