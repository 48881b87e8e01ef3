"""Sockets of this machine: whether a port is free, a word to whoever listens on a unix socket."""

from __future__ import annotations

import socket
from pathlib import Path

# sockaddr_un holds 108 bytes on Linux and 104 on the BSDs and macOS, with a closing zero.
PATH_LIMIT = 103


def trouble(address: str, port: int, protocol: str) -> str:
    """Why a server could not listen on the port of the IPv4 or IPv6 *address*; "" when it could."""
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as probe:
        if protocol == "tcp":
            # As QEMU does: connections that are closing do not count. On UDP it would let two servers share a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as failure:
            return failure.strerror or str(failure)
    return ""


def connected(path: Path) -> socket.socket | None:
    """A connection to who listens on the unix socket at *path*; None when nobody does."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


def send_line(path: Path, text: str) -> socket.socket | None:
    """Write a line to the unix socket at *path*; the open connection, or None when nobody listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
        connection.sendall(text.encode() + b"\n")
    except OSError:
        connection.close()
        return None
    return connection
