"""What the C library does with memory that this process no longer needs."""

from __future__ import annotations

M_MMAP_THRESHOLD = -3
LARGE = 2 << 20


def return_large_buffers() -> None:
    """Give buffers of `LARGE` bytes and more back to the system as soon as they are freed.

    By default glibc raises that threshold to the size of whatever is freed, up to 32 MiB, and from then on keeps
    buffers of that size in an arena a thread: the windows of decompressors, each used once, then stay around for good.
    Where the C library has no such setting nothing is done.

    Source: mallopt(3), M_MMAP_THRESHOLD.
    """
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
