"""Uses up what the kernel counts for the whole machine, or by user id; or, with `once`, uses each of it once.

Prints, as JSON, how many of each kind could be made, then keeps them for a while.
"""

import ctypes
import fcntl
import json
import os
import select
import sys
import time
from collections.abc import Callable
from contextlib import suppress

LIBC = ctypes.CDLL(None, use_errno=True)
WATCHING = select.epoll()
KEPT: list[object] = []
F_GETPIPE_SZ = 1032


def done(answer: int) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), "")
    return answer


def file() -> int:
    return os.open("/dev/null", os.O_RDONLY)


def inotify() -> int:
    return done(LIBC.inotify_init1(0))


def timer() -> int:
    return done(LIBC.timer_create(0, None, ctypes.byref(ctypes.c_void_p())))


def pipe() -> tuple[int, int]:
    made = os.pipe()
    if fcntl.fcntl(made[0], F_GETPIPE_SZ) < 65536:
        raise OSError(0, "a small pipe")
    return made


def watch() -> int:
    made = os.eventfd(0)
    WATCHING.register(made)
    return made


def events() -> int:
    context = ctypes.c_ulong()
    return done(LIBC.syscall(206, 1024, ctypes.byref(context)))


# How many are more than the limits allow that a kernel sets for a machine of 512 MiB.
KINDS: dict[Callable[[], object], int] = {
    file: 100_000, inotify: 1000, timer: 5000, pipe: 2000, watch: 50_000, events: 100,
}  # fmt: skip


def made(kind: Callable[[], object], most: int) -> int:
    before = len(KEPT)
    with suppress(OSError):
        KEPT.extend(kind() for _ in range(most))
    return len(KEPT) - before


once = sys.argv[1:] == ["once"]
counts = {kind.__name__: made(kind, 1 if once else most) for kind, most in KINDS.items()}
sys.stdout.write(json.dumps(counts) + "\n")
sys.stdout.flush()
if not once:
    time.sleep(60)
