"""The boot timeline: what the guest reported, as rows with bars.

The guest writes a JSON object a line: `uptime` in seconds since its kernel started, `stage` (init, onboot, service,
shutdown), `name`, `event` and `status`. Steps are started, then done or failed. Services may be waiting for others, are
started, up, and, when that is asked, ready or unready; they have stopped, and when they are not started again, they are
done or failed. A guest may write anything: what is not a report is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from finback.codec import strict_json
from finback.ground.printable import printable_line

WIDTH = 32
NAME_LIMIT = 255
# The length of a line that a guest may send.
LINE_LIMIT = 4096
# Marks a moment: the boot steps are over and the services are being started.
SERVICES = ("init", "services")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One thing that the guest said about itself."""

    uptime: float
    """Seconds since the guest's kernel started."""
    stage: str
    name: str
    event: str
    status: int = 0
    times: int = 1
    """How many equal reports it stands for: older ones are not all kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stretch of the boot, in seconds since the kernel started."""

    name: str
    begin: float
    end: float | None
    """None: it has not ended."""
    outcome: str
    starts: int = 1
    """How often it was started."""


def parse(text: str) -> tuple[Report, ...]:
    """The reports in *text*, in their order. The last line counts only when it is whole."""
    found = (parse_line(line.encode("utf-8", "replace")) for line in text.rpartition("\n")[0].splitlines())
    return tuple(report for report in found if report is not None)


def parse_line(line: bytes) -> Report | None:
    """The report in *line*; None when it is none."""
    if len(line) > LINE_LIMIT:
        return None
    try:
        value = strict_json.plain(line)
        uptime, status, times = float(value["uptime"]), int(value.get("status", 0)), int(value.get("times", 1))
        words = [_clean(value[key]) for key in ("stage", "name", "event")]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return None
    if not math.isfinite(uptime) or uptime < 0 or times < 1:
        return None
    return Report(uptime=uptime, stage=words[0], name=words[1], event=words[2], status=status, times=times)


def _clean(word: object) -> str:
    """*word* without what a terminal would act upon."""
    if not isinstance(word, str):
        raise TypeError
    return printable_line(word[:NAME_LIMIT])


def steps(reports: Iterable[Report]) -> list[Step]:
    """Stretches of the boot from *reports*, in the order in which they began; the kernel's own comes first.

    What comes after the boot does not lengthen it: a service that stops keeps its stretch, one that is started again
    gets no second one, and what happens at the shutdown is left out.
    """
    places: dict[tuple[str, str], int] = {}
    out: list[Step] = []
    for report in reports:
        key = (report.stage, report.name)
        if not out:
            out.append(Step(name="kernel and modules", begin=0, end=report.uptime, outcome="done"))
        if key == SERVICES or report.stage == "shutdown":
            continue
        if key not in places:
            if report.event == "started":
                places[key] = len(out)
                begun = Step(name=_label(report), begin=report.uptime, end=None, outcome="started", starts=report.times)
                out.append(begun)
            continue
        place = places[key]
        if report.event == "started":
            out[place] = replace(out[place], starts=out[place].starts + report.times)
            continue
        if report.event == "waiting":
            continue
        # One that is up may not be ready yet.
        ends = report.event not in ("stopped", "unready") and (
            out[place].end is None or (report.event == "ready" and out[place].starts == 1)
        )
        end = report.uptime if ends else out[place].end
        out[place] = replace(out[place], end=end, outcome=_outcome(report))
    return out


def boot_failed(reports: Iterable[Report]) -> bool:
    """Whether the last boot was given up: the guest's init reports that, and only that, of the boot as a whole."""
    failed = False
    for report in reports:
        if (report.stage, report.name) == ("init", "init"):
            failed = False
        failed |= (report.stage, report.name) == ("init", "boot")
    return failed


def _label(report: Report) -> str:
    return report.name if report.name == report.stage else f"{report.stage} {report.name}"


def _outcome(report: Report) -> str:
    if report.event == "failed" or report.status:
        return f"{report.event} ({report.status})"
    return report.event


def draw(reports: Iterable[Report]) -> str:
    """The timeline as text, a step a line, and the total: when the last thing was reported that belongs to the boot."""
    rows = steps(reports)
    if not rows:
        return "no timeline yet"
    last = max(s.begin if s.end is None else s.end for s in rows) or 1.0
    width = max(len(s.name) for s in rows)
    lines = [_line(step, width, last) for step in rows]
    return "\n".join([*lines, f"{'total'.ljust(width)}  {last:6.2f} s"])


def _line(step: Step, width: int, last: float) -> str:
    end = last if step.end is None else step.end
    # A service that only says that it started takes no time that is known.
    took = "       …" if step.end is None else f"{max(0.0, end - step.begin):6.2f} s"
    first, stop = (min(WIDTH, round(at / last * WIDTH)) for at in (step.begin, end))
    first = min(first, WIDTH - 1)
    bar = (" " * first + "━" * max(1, stop - first)).ljust(WIDTH)
    again = f", {step.starts} starts" if step.starts > 1 else ""
    return f"{step.name.ljust(width)}  {step.begin:6.2f} s  {took}  {bar}  {step.outcome}{again}"
