"""Questions to servers on this machine's ports, which may be silent, slow or endless."""

from __future__ import annotations

import socket
import time

ANSWER_LIMIT = 1 << 20
SAID_LIMIT = 1 << 16


def free_port(address: str) -> int:
    """A TCP port of *address* that nothing uses; it is not kept."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def http(address: str, port: int, path: str, timeout: float) -> tuple[int, bytes] | str:
    """Status and the first megabyte of the answer to a GET, or why there is none within *timeout* seconds each step."""
    import urllib3

    pool = urllib3.HTTPConnectionPool(address, port, timeout=timeout, retries=False)
    try:
        answer = pool.request("GET", path, preload_content=False, redirect=False)
        return answer.status, answer.read(ANSWER_LIMIT, decode_content=True)
    except (urllib3.exceptions.HTTPError, OSError) as failure:
        return _reason(failure)
    finally:
        pool.close()


def tcp(address: str, port: int, send: bytes, wanted: bytes, timeout: float) -> tuple[bool, bytes]:
    """Whether the server says *wanted* (empty: anything) within *timeout* seconds, and what it has said."""
    limit = time.monotonic() + timeout
    said = b""
    try:
        with socket.create_connection((address, port), timeout) as connection:
            connection.sendall(send)
            while len(said) < SAID_LIMIT and not (said and wanted in said):
                connection.settimeout(max(0.01, limit - time.monotonic()))
                piece = connection.recv(4096)
                if not piece:
                    break
                said += piece
    except OSError:
        pass
    return bool(said) and wanted in said, said


def _reason(failure: Exception) -> str:
    inner = failure.__cause__ or failure.__context__ or failure
    return str(getattr(inner, "strerror", "") or inner) or type(inner).__name__
