"""Draw the pictures of the README: how a build works, a terminal session as it was, and the timeline of that boot.

The session is real: it builds and boots the README's file, so that this needs QEMU and takes about half a minute.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from xml.sax.saxutils import escape

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
COLUMNS = 92
PORT = 8080
SECONDS = 120
# Follows the theme of the reader, on pages and in a README alike.
STYLE = """\
<style>
  text { font-family: system-ui, sans-serif; font-size: 14px; fill: #1f2933; }
  .name { font-weight: 600; } .note { font-size: 12px; fill: #52606d; }
  rect { fill: #e6f4f1; stroke: #0d9488; } path { stroke: #52606d; fill: none; stroke-width: 1.5; }
  marker path { fill: #52606d; stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb; } .note { fill: #9aa5b1; } rect { fill: #134e4a; stroke: #2dd4bf; }
    path { stroke: #9aa5b1; } marker path { fill: #9aa5b1; }
  }
</style>"""
# A stage of the build: its name, and what it is, in two lines.
STAGES = [
    ("web.yml", "what you write:", "one file"),
    ("Spec", "every value knows", "its line"),
    ("Plan", "all pinned by digest", "in web.lock"),
    ("System", "segments, converted", "once and shared"),
    ("Artifacts", "initrd, UKI, ISO, disk,", "cloud image, deb ..."),
]
STEPS = ["read", "resolve", "assemble", "write"]
# The page of a terminal without a font from elsewhere, which Rich's own asks for.
TERMINAL = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
  line-height: {line_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""  # noqa: E501 - one element


def build_picture() -> str:
    """The way from a file to what is written, as boxes and arrows."""
    box, gap, top, height = 150, 62, 24, 82
    width = len(STAGES) * box + len(STEPS) * gap + 4
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + height + 12}" role="img">']
    lines += [f"<title>{' to '.join(name for name, _, _ in STAGES)}</title>", STYLE]
    lines.append('<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
                 'orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>')  # fmt: skip
    for index, (name, first, second) in enumerate(STAGES):
        left = 2 + index * (box + gap)
        middle = left + box / 2
        lines.append(f'<rect x="{left}" y="{top}" width="{box}" height="{height}" rx="8"/>')
        texts = [(name, 28, "name"), (first, 50, "note"), (second, 67, "note")]
        for text, down, kind in texts:
            lines.append(
                f'<text class="{kind}" x="{middle}" y="{top + down}" text-anchor="middle">{escape(text)}</text>'
            )
        if index < len(STEPS):
            start, y = left + box, top + height / 2
            lines.append(f'<path d="M{start + 6} {y}H{start + gap - 8}" marker-end="url(#tip)"/>')
            lines.append(
                f'<text class="note" x="{start + gap / 2}" y="{y - 8}" text-anchor="middle">{STEPS[index]}</text>'
            )
    return "\n".join([*lines, "</svg>", ""])


def readme_file() -> str:
    """The YAML file that the README begins with."""
    found = re.search(r"^```yaml\n# web\.yml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        sys.exit("README.md has no block of YAML that begins with `# web.yml`")
    return found[1]


def run(folder: Path, *command: str) -> str:
    """What *command* writes to a terminal of `COLUMNS` columns."""
    reader, writer = pty.openpty()
    env = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "XDG_STATE_HOME": str(folder / "state")}
    env.pop("CI", None)
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=writer, stdout=writer, stderr=writer)
    os.close(writer)
    written = bytearray()
    while True:
        try:
            chunk = os.read(reader, 65536)
        except OSError:  # Linux reports the closed other end so
            break
        if not chunk:
            break
        written += chunk
    os.close(reader)
    if process.wait():
        sys.exit(f"{' '.join(command)} failed:\n{written.decode('utf-8', 'replace')}")
    return visible(written.decode("utf-8", "replace"))


def visible(written: str) -> str:
    """The text that remains on the terminal: what progress displays drew and erased is gone."""
    lines: list[str] = [""]
    row = 0
    for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if token == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif token == "\r" or re.fullmatch(r"\x1b\[[0-9]*G", token):
            continue
        elif token.endswith("A") and token.startswith("\x1b"):
            row = max(0, row - int(re.sub(r"\D", "", token) or 1))
        elif token.endswith(("K", "J")) and token.startswith("\x1b"):
            lines[row:] = [""] if token.endswith("J") else ["", *lines[row + 1 :]]
        elif token.endswith("m") or not token.startswith("\x1b"):
            lines[row] += token
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def wait_for_page() -> str:
    """The title of the page that the machine serves."""
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=2) as answer:
                found = re.search(r"<title>.*</title>", answer.read().decode())
                return found[0] if found else "(no title)"
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    sys.exit(f"no answer within {SECONDS} s")


def record() -> tuple[str, str]:
    """A session with the README's file: what the terminal shows, and the boot's timeline as a picture."""
    finback = [sys.executable, "-m", "finback"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "web.yml").write_text(readme_file())
        run(folder, *finback, "build", "web.yml")  # so that the recorded one shows an everyday build
        start = (["build", "web.yml"], ["run", "--detach", "--publish", f"{PORT}:80", "web"])
        shown = [f"\x1b[1m$ finback {' '.join(words)}\x1b[0m\n{run(folder, *finback, *words)}" for words in start]
        shown.append(f"\x1b[1m$ curl -s localhost:{PORT} | grep title\x1b[0m\n{wait_for_page()}")
        time.sleep(1)
        shown.append(f"\x1b[1m$ finback ps --timeline web\x1b[0m\n{run(folder, *finback, 'ps', '--timeline', 'web')}")
        run(folder, *finback, "ps", "--timeline", "web", "--svg", "boot.svg")
        shown.append(f"\x1b[1m$ finback stop web\x1b[0m\n{run(folder, *finback, 'stop', 'web')}")
        return "\n".join(shown).replace(str(folder), "~"), (folder / "boot.svg").read_text()


def terminal_picture(text: str) -> str:
    """*text*, with its colours, as a terminal."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    console.print(Text.from_ansi(text), soft_wrap=False)
    return console.export_svg(title="finback", code_format=TERMINAL, unique_id="terminal")


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "build.svg").write_text(build_picture())
    if "--build-only" in sys.argv[1:]:
        return
    text, timeline = record()
    (IMAGES / "terminal.svg").write_text(terminal_picture(text))
    (IMAGES / "boot.svg").write_text(timeline)


if __name__ == "__main__":
    main()
