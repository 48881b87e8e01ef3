"""Several transfers at a time, each with its own bar; the first failure ends all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed

from finback.ground.event import Advanced, Emit, Event, Failed, Finished, Started
from finback.host.store import CHUNK
from finback.oci.manifest import Descriptor

AT_ONCE = 6
Advance = Callable[[int], None]
Job = Callable[[Descriptor, Advance], str]
"""Moves a blob, says how far it is, and returns a note for people."""


def run(title: str, blobs: Iterable[Descriptor], job: Job, emit: Emit) -> None:
    """Do *job* for each of *blobs*, once for each digest.

    Raises:
        FinbackError: the first that a job raises; the others have ended then.

    """
    wanted = {b.digest: b for b in blobs}
    gate, ended = threading.Lock(), threading.Event()

    def tell(event: Event) -> None:
        with gate:
            emit(event)

    def one(blob: Descriptor) -> None:
        name, shown = f"blob {blob.digest}", 0

        def advance(done: int) -> None:
            nonlocal shown
            if ended.is_set():
                raise _EndedError
            if done - shown >= CHUNK or done < shown:
                shown = done
                tell(Advanced(task=name, done=done, total=blob.size))

        if ended.is_set():
            return
        tell(Started(task=name, title=f"{title} {blob.digest.encoded[:12]}", total=blob.size))
        try:
            note = job(blob, advance)
        except BaseException:
            tell(Failed(task=name))
            raise
        tell(Finished(task=name, note=note))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(one, blob) for blob in wanted.values()]
        try:
            for done in as_completed(jobs):
                done.result()
        except BaseException:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _EndedError(Exception):
    """Another transfer has failed."""
