"""The process that keeps what a machine says, beside QEMU, which would let a guest fill the disk.

QEMU writes console and events into two named pipes, from where they go into files of bounded length. The process is in
the background when its command ends, and ends when QEMU has closed both pipes.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from finback.codec import strict_json
from finback.host.journal import Journal

CONSOLE_LIMIT = 16 << 20
CONSOLE_KEPT = 8 << 20
EVENTS_LIMIT = 4 << 20
EVENTS_KEPT = 1 << 20
SUMMARY_LIMIT = 256 << 10
PIECE = 256 << 10
# By then QEMU has opened the pipes.
OPEN_SECONDS = 60.0
INTERVAL = 0.05
# A value, so that the type checker reads the code for every system.
SYSTEM: str = sys.platform


def last_lines(data: bytes) -> bytes:
    """The end of a console, from the beginning of a line where there is one."""
    kept = data[-CONSOLE_KEPT:]
    return kept[kept.find(b"\n") + 1 :] if len(kept) < len(data) else kept


def last_events(data: bytes) -> bytes:
    """The last events, and of those before them what tells how each service stands and when it began.

    Of equal events of a service, the first that it was started and the last are kept; the last one's `times` says how
    many it stands for.
    """
    cut = data.rfind(b"\n", 0, max(0, len(data) - EVENTS_KEPT)) + 1
    # A line longer than all that is kept is no event.
    tail = data[max(cut, len(data) - 2 * EVENTS_KEPT) :]
    first: dict[tuple[str, ...], bytes] = {}
    last: dict[tuple[str, ...], tuple[int, dict[str, object]]] = {}
    for line in data[:cut].split(b"\n"):
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            value = strict_json.plain(line)
            key = tuple(str(value[k]) for k in ("stage", "name", "event"))
            times = value.get("times", 1)
            if key[2] == "started" and key not in first:
                first[key] = line + b"\n"
                continue
            # Put in anew, so that the order is that of the last ones.
            before = last.pop(key, (0, {}))[0]
            last[key] = (before + (times if isinstance(times, int) else 1), value)
    summary = [*first.values()]
    summary += [json.dumps({**v, "times": n} if n > 1 else v).encode() + b"\n" for n, v in last.values()]
    size, kept = 0, []
    for line in reversed(summary):
        size += len(line)
        if size > SUMMARY_LIMIT:
            break
        kept.append(line)
    return b"".join(reversed(kept)) + tail


def record(pipes: dict[int, Journal]) -> None:
    """Copy from each file descriptor to its journal until it is closed at the other end, or SIGTERM comes."""
    stop, wake = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: os.close(wake))
    left, silent = set(pipes), set(pipes)
    first = time.monotonic() + OPEN_SECONDS
    with selectors.DefaultSelector() as selector:
        for descriptor in (stop, *pipes):
            selector.register(descriptor, selectors.EVENT_READ)
        while left:
            ready = {key.fd for key, _ in selector.select()}
            for descriptor in ready & left:
                try:
                    piece = os.read(descriptor, PIECE)
                except BlockingIOError:
                    continue
                if piece:
                    silent.discard(descriptor)
                    pipes[descriptor].append(piece)
                elif descriptor in silent and SYSTEM != "linux" and time.monotonic() < first:
                    # Elsewhere a pipe reads as ended before its other end was opened at all.
                    time.sleep(INTERVAL)
                else:
                    left.discard(descriptor)
                    selector.unregister(descriptor)
            if ready == {stop}:
                # Told to end, and nothing is left to read.
                return


def main(folder: Path, pid: str, console: str, events: str) -> None:
    """Record `NAME.pipe` into NAME for both names in *folder*; the process id is written to the file *pid* there."""
    descriptors = []
    for name in (console, events):
        pipe = folder / f"{name}.pipe"
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe, 0o600)
        # Before QEMU opens the other end, which would wait for this one.
        descriptors.append(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))
    for name in (console, events):
        (folder / name).touch(mode=0o600)
    number = os.fork()
    if number:
        (folder / pid).write_text(str(number))
        return
    os.setsid()
    journals = (
        Journal(folder / console, CONSOLE_LIMIT, last_lines),
        Journal(folder / events, EVENTS_LIMIT, last_events),
    )
    try:
        record(dict(zip(descriptors, journals, strict=True)))
    finally:
        (folder / pid).unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5])
