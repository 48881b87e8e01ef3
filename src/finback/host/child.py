"""Processes that outlive a call: started, watched, ended.

A process is told from a later one with the same number by its arguments: what starts one puts a word into them that
occurs nowhere else.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from finback.ground.diagnostic import FinbackError, error
from finback.host.process import Command
from finback.host.terminal import lent

INTERVAL = 0.02
EXEC_TRIES = 50
# A value, so that the type checker reads the code for every system.
SYSTEM: str = sys.platform
PR_SET_PDEATHSIG = 1
# Where /proc/PID/stat has the number of threads, behind the program's name.
THREADS = 17
# Signals that end finback, and with it what it runs in the foreground.
ENDING = (signal.SIGTERM, signal.SIGHUP)
# Processes that `detached` has started and that have not been waited for.
_children: set[int] = set()


def foreground(command: Command) -> int:
    """Run *command* on this terminal until it ends; its exit status, or 128 and the signal that ended finback.

    The command ends with finback, also when finback is killed (on Linux). The terminal is put back as it was.

    Raises:
        FinbackError: F520, the program is not there or can't be started.

    """
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl if SYSTEM == "linux" else None

    def follow() -> None:
        # Between fork and exec: SIGTERM when finback goes, even if it went just now.
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)

    with lent(), _startable(command), subprocess.Popen(command.argv, preexec_fn=follow) as child:  # noqa: PLW1509
        with _ending_with(child) as ended_by:
            try:
                status = child.wait()
            except BaseException:
                # Ctrl-C outside a raw terminal has reached the child as well; it may take a moment.
                child.terminate()
                raise
        if ended_by:
            return 128 + ended_by[0]
        return 128 - status if status < 0 else status


@contextmanager
def _ending_with(child: subprocess.Popen[bytes]) -> Iterator[list[int]]:
    """Hand a signal that would end finback to *child*; the list holds those that came."""
    came: list[int] = []

    def hand_on(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        child.terminate()

    try:
        before = {number: signal.signal(number, hand_on) for number in ENDING}
    except ValueError:
        # Only the main thread may do that; a library's user elsewhere has handlers of their own.
        before = {}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, a signal that would end finback is as Ctrl-C: what was started can be ended.

    It is so once: a second signal, which timeout(1) sends too, does not disturb that.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    try:
        before = {number: signal.signal(number, interrupt) for number in ENDING}
    except ValueError:
        # Only the main thread may do that.
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def detached(command: Command, log: Path) -> int:
    """Start *command* in a session of its own, its messages in *log*; the process id.

    Raises:
        FinbackError: F520, the program is not there or can't be started.

    """
    _reap()
    with log.open("wb") as out, _startable(command):
        child = subprocess.Popen(
            command.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        # It is meant to outlive this object, which would warn about that.
        child.returncode = 0
        _children.add(child.pid)
        return child.pid


def _reap() -> None:
    """Wait for those of this very process that have ended, so that no zombie stays."""
    for pid in tuple(_children):
        # Not a child any more after a fork, or when the program that uses this library waits for all of its own.
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                continue
        _children.discard(pid)


@contextmanager
def _startable(command: Command) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, PermissionError) as failure:
        raise _unstartable(command, failure) from None


def _unstartable(command: Command, failure: OSError) -> FinbackError:
    name = command.argv[0]
    if isinstance(failure, FileNotFoundError):
        return error("F520", f"there is no program {name}", help="install it, or add its folder to PATH")
    return error("F520", f"{name} can't be started: {failure.strerror}", help="check its permissions")


def is_ours(pid: int, word: str) -> bool:
    """Whether process *pid* runs and has *word* among its arguments."""
    found = pid > 0 and _has(pid, word)
    if not found:
        _reap()
    return found


def _has(pid: int, word: str) -> bool:
    if SYSTEM == "linux":
        return _is_on_linux(Path(f"/proc/{pid}"), word.encode())
    done = subprocess.run(
        ["ps", "-ww", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return word in done.stdout.split()[1:] and not done.stdout.startswith("Z")


def _is_on_linux(process: Path, word: bytes) -> bool:
    for _ in range(EXEC_TRIES):
        try:
            stat = (process / "stat").read_text(errors="replace")
            arguments = (process / "cmdline").read_bytes()
        except OSError:
            return False
        # A zombie has ended, whatever its parent makes of it; with threads left, it is about to (proc_pid_stat(5)).
        fields = stat.rpartition(")")[2].split()
        if fields[0] in ("Z", "X") and int(fields[THREADS]) <= 1:
            return False
        if arguments:
            return word in arguments.split(b"\0")
        # Within execve(2) a process has no arguments, for the parent goes on before they are in place; nor at its end.
        time.sleep(INTERVAL)
    return False


def end(pid: int, word: str, timeout: float) -> bool:
    """End process *pid* if it is ours: politely, then by force after *timeout* seconds. Whether it is gone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not is_ours(pid, word):
            break
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        if gone(pid, word, timeout):
            break
    return not is_ours(pid, word)


def kill(pid: int, word: str, timeout: float) -> bool:
    """End process *pid* by force if it is ours; whether it is gone within *timeout* seconds."""
    if is_ours(pid, word):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return gone(pid, word, timeout)


def gone(pid: int, word: str, timeout: float) -> bool:
    """Wait for the process to end; whether it did within *timeout* seconds."""
    return until(lambda: not is_ours(pid, word), timeout)


def until(holds: Callable[[], bool], timeout: float) -> bool:
    """Wait for *holds* to be true; whether it was within *timeout* seconds. It is asked at least once."""
    limit = time.monotonic() + timeout
    while not holds():
        if time.monotonic() >= limit:
            return False
        time.sleep(INTERVAL)
    return True


def runs(command: Command, timeout: float, expected: int) -> bool:
    """Whether *command* ends with status *expected* within *timeout* seconds; it is killed when it does not end.

    Raises:
        FinbackError: F520, the program is not there or can't be started.

    """
    with _startable(command):
        child = subprocess.Popen(
            command.argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    try:
        return child.wait(timeout) == expected
    except subprocess.TimeoutExpired:
        return False
    finally:
        child.kill()
        # A process that hangs in the kernel's KVM code may take its time to die; it is not waited for without end.
        with suppress(subprocess.TimeoutExpired):
            child.wait(2)
