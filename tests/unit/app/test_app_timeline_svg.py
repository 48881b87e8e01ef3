from __future__ import annotations

from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from finback.app.machine.timeline import Report
from finback.app.machine.timeline_svg import draw

SVG = "{http://www.w3.org/2000/svg}"


def report(uptime: float, stage: str, name: str, event: str, status: int = 0) -> Report:
    return Report(uptime=uptime, stage=stage, name=name, event=event, status=status)


BOOT = (
    report(3.0, "init", "init", "started"),
    report(3.5, "init", "init", "done"),
    report(3.5, "onboot", "000-a", "started"),
    report(4.5, "onboot", "000-a", "failed", 2),
    report(4.5, "service", "<&>", "started"),
    report(5.0, "service", "w", "started"),
    report(6.0, "service", "w", "up"),
)


def bars(text: str) -> list[tuple[float, float, str]]:
    found = ET.fromstring(text).findall(f"{SVG}rect")[1:]
    return [(float(r.attrib["x"]), float(r.attrib["width"]), r.attrib["fill"]) for r in found]


def test_bars_stand_where_the_scale_says() -> None:
    made = bars(draw(BOOT, "web"))
    left, per_second = made[0][0], made[0][1] / 3
    assert [round((x - left) / per_second, 1) for x, _, _ in made] == [0, 3, 3.5, 4.5, 5]
    assert [round(width / per_second, 1) for _, width, _ in made] == [3, 0.5, 1, 1.5, 1]
    # What has failed stands out.
    assert [fill == "#c0392b" for _, _, fill in made] == [False, False, True, False, False]


def test_it_says_names_times_and_failures() -> None:
    texts = [t.text for t in ET.fromstring(draw(BOOT, "a & b")).iter(f"{SVG}text")]
    assert texts[0] == "a & b: 6.00 s"
    assert "service <&>" in texts
    assert "1.00 s failed (2)" in texts
    assert "started" in texts


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e9), st.text(max_size=8), st.sampled_from(["started", "up", "failed"]))))
def test_any_timeline_is_well_formed(told: list[tuple[float, str, str]]) -> None:
    printable = ["".join(c for c in name if c.isprintable()) for _, name, _ in told]
    reports = [report(at, "service", name, event) for (at, _, event), name in zip(told, printable, strict=True)]
    root = ET.fromstring(draw(reports, "t"))
    assert len(root.findall(f"{SVG}rect")) >= 1


def test_nothing_reported_is_an_empty_picture() -> None:
    assert bars(draw((), "t")) == []
