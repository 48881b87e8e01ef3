"""The last net: whatever a command raises ends as a message with a status of its kind, never as a trace."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from finback import cli
from finback.cli import main
from finback.ground.diagnostic import error

FAILURES = [
    (error("F301", "other bytes", help="try again"), 4, "error[F301]: other bytes"),
    (ValueError("odd"), 70, "error[F900]: finback has a fault, in cli/__init__.py"),
    (RecursionError("deep"), 70, "error[F900]"),
    (EOFError("cut short"), 70, "error[F900]"),
    (AssertionError(), 70, "error[F900]"),
    (MemoryError(), 5, "error[F551]"),
    (PermissionError(errno.EACCES, "Permission denied", "/some/file"), 5, "error[F404]: /some/file: Permission denied"),
    (FileNotFoundError(errno.ENOENT, "No such file", b"/some/file"), 5, "error[F410]"),
    (OSError(errno.ENOSPC, "No space left on device", "/some/file"), 5, "error[F403]: no space left for /some/file"),
    (OSError(errno.ENOSPC, "No space left on device"), 5, "error[F403]"),
    (OSError(errno.EIO, "Input/output error"), 5, "error[F405]"),
    (KeyboardInterrupt(), 130, "interrupted"),
    (click.UsageError("no such thing"), 2, "no such thing"),
]


def raising(failure: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise failure

    return command


@pytest.mark.parametrize(("failure", "status", "said"), FAILURES, ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("debug", [False, True])
def test_every_exception_ends_as_a_message(
    failure: BaseException,
    status: int,
    said: str,
    debug: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli.cli, "get_command", lambda *_: raising(failure))
    with pytest.raises(SystemExit) as ended:
        main([*(["--debug"] if debug else []), "version"])
    shown = capsys.readouterr().err
    assert ended.value.code == status
    assert said in shown
    assert ("Traceback" in shown) == (debug and not isinstance(failure, (KeyboardInterrupt, click.UsageError)))


def test_an_internal_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli.cli, "get_command", lambda *_: raising(KeyError("x\x1b[31m")))
    with pytest.raises(SystemExit):
        main(["version"])
    shown = capsys.readouterr().err
    assert "report this" in shown
    assert "--debug" in shown
    assert "\x1b[31m" not in shown


def finback(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "finback", *arguments]
    return subprocess.run(command, text=True, stderr=subprocess.PIPE, timeout=60, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_an_output_without_space() -> None:
    with Path("/dev/full").open("w") as full:
        done = finback("--help", stdout=full)
    assert (done.returncode, done.stderr.count("error[F403]")) == (5, 1)
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


def test_a_reader_that_has_seen_enough() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = finback("--help", stdout=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, "")
