"""Commands to a running QEMU in its own protocol, through QEMU's own library. Source: QEMU's manual, "QMP"."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any


def execute(path: Path, command: str, timeout: float) -> Any:
    """The answer to *command* on the QMP socket at *path*; None when there is none within *timeout* seconds.

    A QEMU that ends instead of answering, as `quit` may have it, is no error: who asks looks at the process.
    """
    import asyncio

    # The library reports a connection that ends, which is what `quit` is for, to its logger and to asyncio's handler
    # of forgotten exceptions. Both are silenced here, and nowhere else.
    logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)

    async def ask() -> Any:
        from qemu.qmp import QMPClient, QMPError

        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        client = QMPClient("finback")
        try:
            async with asyncio.timeout(timeout):
                await client.connect(str(path))
                return await client.execute(command)
        except (QMPError, OSError, EOFError, TimeoutError):
            return None
        finally:
            try:
                async with asyncio.timeout(1):
                    await client.disconnect()
            except (QMPError, OSError, EOFError, TimeoutError):
                pass

    return asyncio.run(ask())
