"""The boot timeline as a picture: SVG, which every browser shows and which scales.

Source: SVG 1.1 (second edition); only rectangles, lines and texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from xml.sax.saxutils import escape

from finback.app.machine.timeline import Report, Step, steps

SPACE = "http://www.w3.org/2000/svg"
ROW = 22
BAR = 14
TOP = 46
RIGHT = 90
SCALE = 640
# Of the sans-serif fonts that browsers take, at the size below; labels never overlap bars.
LETTER = 7.2
FONT = 'font-family="sans-serif" font-size="12"'
COLOURS = {"kernel": "#8a8f98", "init": "#5b7fb5", "onboot": "#4c9f70", "service": "#c98a2b"}
BAD = "#c0392b"
# Steps of the scale, in seconds; the first one that leaves at most so many lines is taken.
UNITS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
LINES = 10


def draw(reports: Iterable[Report], title: str) -> str:
    """The picture: a row for each step, over a scale in seconds since the guest's kernel started."""
    rows = steps(reports)
    last = max((s.begin if s.end is None else s.end for s in rows), default=0) or 1.0
    left = 16 + max((len(s.name) for s in rows), default=0) * LETTER
    width, height = left + SCALE + RIGHT, TOP + ROW * len(rows) + 30
    body = [
        f'<svg xmlns="{SPACE}" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" {FONT}>',
        f'<rect width="{width:.0f}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="20" font-size="14" font-weight="bold">{escape(title)}: {last:.2f} s</text>',
        *_scale(last, left, TOP + ROW * len(rows)),
        *(line for number, step in enumerate(rows) for line in _row(step, number, left, last)),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def _scale(last: float, left: float, bottom: float) -> list[str]:
    unit = next((u for u in UNITS if last / u <= LINES), UNITS[-1] * math.ceil(last / UNITS[-1] / LINES))
    out = []
    for number in range(int(last / unit) + 1):
        x = left + number * unit / last * SCALE
        out.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>')
        out.append(
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#555555">{number * unit:g} s</text>'
        )
    return out


def _row(step: Step, number: int, left: float, last: float) -> list[str]:
    top = TOP + ROW * number
    end = last if step.end is None else step.end
    x, width = left + step.begin / last * SCALE, max(2.0, (end - step.begin) / last * SCALE)
    bad = step.outcome.startswith(("failed", "unready"))
    fill = BAD if bad else COLOURS.get(step.name.split()[0], COLOURS["init"])
    # What has not ended is pale.
    opacity = ' fill-opacity="0.45"' if step.end is None else ""
    took = f"{end - step.begin:.2f} s" if step.end is not None else ""
    again = f", {step.starts} starts" if step.starts > 1 else ""
    said = f"{took} {step.outcome if bad or step.end is None else ''}{again}".strip()
    title = f"<title>{escape(f'{step.name}: {step.begin:.2f} to {end:.2f} s, {step.outcome}')}</title>"
    inside = x + width + 6 > left + SCALE
    anchor, at = ("end", x - 6) if inside else ("start", x + width + 6)
    return [
        f'<text x="8" y="{top + 11}">{escape(step.name)}</text>',
        f'<rect x="{x:.1f}" y="{top}" width="{width:.1f}" height="{BAR}" fill="{fill}"{opacity}>{title}</rect>',
        f'<text x="{at:.1f}" y="{top + 11}" text-anchor="{anchor}" fill="#333333">{escape(said)}</text>',
    ]
