"""A process that takes TCP connections at addresses where QEMU can't: its user network publishes on IPv4 only.

Each connection is passed on to a port of 127.0.0.1. The process is in the background when its command ends, and ends
when the file that it watches, the process id of the machine's recorder, is gone.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

INTERVAL = 0.5
PIECE = 64 << 10


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(PIECE):
            target.write(piece)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()


async def _relay(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass(reader, back), _pass(there, writer))
        back.close()
    writer.close()


async def serve(listeners: list[tuple[socket.socket, int]], watched: Path) -> None:
    """Pass connections to each socket on to its port, until the file *watched* is gone."""
    servers = []
    for listener, port in listeners:
        servers.append(await asyncio.start_server(partial(_relay, port), sock=listener))
    while watched.exists():
        await asyncio.sleep(INTERVAL)
    for server in servers:
        server.close()


def main(folder: Path, pid: str, watched: str, *rules: str) -> None:
    """Relay as *rules* say, each `ADDRESS/PORT/PORT-OF-127.0.0.1`."""
    listeners = []
    for rule in rules:
        address, port, target = rule.split("/")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listeners.append((socket.create_server((address, int(port)), family=family, backlog=64), int(target)))
    number = os.fork()
    if number:
        (folder / pid).write_text(str(number))
        return
    os.setsid()
    try:
        asyncio.run(serve(listeners, folder / watched))
    finally:
        (folder / pid).unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
