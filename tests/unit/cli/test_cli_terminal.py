"""What a person sees: commands run in a pseudo-terminal, whose screen is then read."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import pyte
import pytest

SPEC = """\
files:
  - {path: etc/motd, contents: hello}
  - {path: etc/a-file-with-a-rather-long-name-that-no-narrow-terminal-has-room-for, contents: x}
"""
WIDTHS = (20, 40, 80, 200)
COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
# Pieces of work in several threads, results and messages between them.
BUSY = """
import sys, threading, time
from finback.cli import _streams
from finback.cli.display import display
from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.event import Finished, Noted, Started, Warned, task

shown = display("auto")
def work(number):
    with task(shown.emit, f"t{number}", f"converting finback/nginx-with-a-long-name-{number}"):
        time.sleep(0.3)
        shown.emit(Noted(text=f"note {number}"))
        _streams.result(f"result {number}")
        time.sleep(0.3)
threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
for thread in threads:
    thread.start()
    time.sleep(0.15)
for thread in threads:
    thread.join()
shown.emit(Warned(diagnostic=Diagnostic(code="F999", message="odd", severity=Severity.WARNING)))
shown.emit(Started(task="last", title="last \\x1b]0;title\\x07[bold]work[/]"))
time.sleep(0.2)
_streams.result("unfinished", newline=False)
time.sleep(0.2)
_streams.result("")
shown.emit(Finished(task="last", cached=True))
_streams.result("the end")
shown.close()
"""


NO_SIGNAL_IGNORED = """\
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    status: int
    raw: bytes
    lines: list[str]
    """Of the screen and of what scrolled away above it."""
    cursor: bool


def on_terminal(
    argv: list[str], columns: int, *, stdout: Path | None = None, stderr: Path | None = None, **environment: str
) -> Seen:
    """Run *argv* on a terminal with so many columns. A stream with a path goes there instead."""
    surroundings = {k: v for k, v in os.environ.items() if k not in ("CI", "NO_COLOR", "COLUMNS", "LINES", "TERM")}
    surroundings |= {"TERM": "xterm-256color", **environment}
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    out = stdout.open("wb") if stdout else slave
    err = stderr.open("wb") if stderr else slave
    # A test run under nohup ignores SIGHUP, and so would what it starts.
    argv = [sys.executable, "-c", NO_SIGNAL_IGNORED, *argv]
    with subprocess.Popen(argv, stdin=slave, stdout=out, stderr=err, env=surroundings, start_new_session=True) as child:
        os.close(slave)
        raw = b""
        while True:
            try:
                piece = os.read(master, 1 << 16)
            except OSError:
                break
            raw += piece
            if not piece:
                break
    os.close(master)
    screen = pyte.HistoryScreen(columns, 24, history=1000, ratio=0.5)
    pyte.ByteStream(screen).feed(raw)
    above = ["".join(line[n].data for n in range(columns)).rstrip() for line in screen.history.top]
    lines = [*above, *(line.rstrip() for line in screen.display)]
    return Seen(status=child.returncode, raw=raw, lines=[x for x in lines if x], cursor=not screen.cursor.hidden)


def finback(*words: str) -> list[str]:
    return [sys.executable, "-m", "finback", *words]


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "web.yml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_build(system: Path, columns: int) -> None:
    seen = on_terminal(finback("build", "-f", "tar", "web.yml"), columns)
    text = "".join(line.ljust(columns) for line in seen.lines)
    assert seen.status == 0
    assert seen.cursor
    assert "writing tar" in text
    assert not re.search("[⠀-⣿━]", text), seen.lines
    # Nothing follows the table, and the table stands by itself.
    if columns >= 80:
        size = f"{(system / 'web.tar').stat().st_size / 1e3:.1f} kB"
        head = f"PATH     {'SIZE'.ljust(len(size))}  ROLE    FORMAT  MEMORY"
        assert seen.lines[-2:] == [head, f"web.tar  {size}  rootfs  tar"]
    assert seen.raw.rstrip().endswith(b"rootfs  tar" if columns >= 40 else b"FORMAT  tar")


@pytest.mark.parametrize("columns", WIDTHS)
def test_results_among_work(columns: int) -> None:
    seen = on_terminal([sys.executable, "-c", BUSY], columns)
    text = " ".join(seen.lines)
    assert seen.status == 0
    assert seen.cursor
    for number in range(3):
        assert seen.lines.count(f"result {number}") == 1
        assert seen.lines.count(f"note {number}") == 1
    assert seen.lines.count("unfinished") == 1
    assert seen.lines[-1] == "the end"
    assert "warning[F999]: odd" in text
    assert text.count("✓") == 3
    assert "= last [bold]work[/] 0." in " ".join(text.split())
    assert not re.search("[⠀-⣿━]", text), seen.lines


def test_progress_is_seen_meanwhile() -> None:
    assert "⠋" in on_terminal([sys.executable, "-c", BUSY], 80).raw.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_as_it_was(number: int) -> None:
    waiting = BUSY.replace("time.sleep(0.3)", f"time.sleep(0.3); number == 2 and os.kill(os.getpid(), {int(number)})")
    seen = on_terminal([sys.executable, "-c", "import os\n" + waiting], 80)
    assert seen.status == -number
    assert seen.cursor
    assert not re.search("[⠀-⣿━]", " ".join(seen.lines)), seen.lines


def test_no_colour(system: Path) -> None:
    for argv in ([sys.executable, "-c", BUSY], finback("build", "-f", "tar", "web.yml"), finback("build", "no.yml")):
        assert COLOUR.search(on_terminal(argv, 80).raw)
        assert not COLOUR.search(on_terminal(argv, 80, NO_COLOR="1").raw)
        assert COLOUR.search(on_terminal(argv, 80, NO_COLOR="").raw)


@pytest.mark.parametrize("given", [{"CI": "true"}, {"CI": "1"}, {"TERM": "dumb"}])
def test_a_log_gets_plain_lines(system: Path, given: dict[str, str]) -> None:
    seen = on_terminal(finback("build", "-f", "tar", "web.yml"), 80, **given)
    assert b"\x1b" not in seen.raw
    assert re.search(r"^writing tar: [\d.]+ s$", "\n".join(seen.lines), re.MULTILINE)


def test_one_stream_redirected(system: Path) -> None:
    argv = finback("build", "-f", "tar", "--json", "web.yml")
    seen = on_terminal(argv, 80, stdout=system / "out")
    assert (system / "out").read_text().startswith('[\n  {\n    "path": "web.tar"')
    assert seen.lines
    assert all("writing tar" in line for line in seen.lines)
    assert seen.cursor
    seen = on_terminal(argv, 80, stderr=system / "err")
    assert b"\x1b" not in seen.raw
    assert seen.lines[0] == "["
    assert re.fullmatch(r"writing tar: [\d.]+ s\n", (system / "err").read_text())


def test_binary_data_is_not_written_to_a_terminal(system: Path) -> None:
    seen = on_terminal(finback("build", "-f", "tar", "--o", "-", "web.yml"), 80)
    assert seen.status == 2
    assert "--o -: binary data is not written to a terminal" in " ".join(seen.lines)
    seen = on_terminal(finback("build", "-f", "tar", "--o", "-", "web.yml"), 80, stdout=system / "out")
    assert seen.status == 0
    assert (system / "out").read_bytes()[257:262] == b"ustar"
