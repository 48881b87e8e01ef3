"""Commands to a running QEMU in its own protocol, through QEMU's own library. Source: QEMU's manual, "QMP"."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finback.ground.diagnostic import error

if TYPE_CHECKING:
    import asyncio

    from qemu.qmp import QMPClient

JOB_INTERVAL = 0.05
ANSWER_LIMIT = 1 << 16


def execute(path: Path, command: str, timeout: float) -> Any:
    """The answer to *command* on the QMP socket at *path*; None when there is none within *timeout* seconds.

    A QEMU that ends instead of answering, as `quit` may have it, is no error: who asks looks at the process.
    """
    import asyncio

    from qemu.qmp import QMPError

    with asyncio.Runner() as runner:
        client = _client(runner)
        try:
            runner.run(_connected(client, path, timeout))
            return runner.run(_within(timeout, client.execute(command)))
        except (QMPError, OSError, EOFError, TimeoutError):
            return None
        finally:
            _leave(runner, client)


def is_up(path: Path, timeout: float) -> bool:
    """Whether the QEMU of the QMP socket at *path* tells its state within *timeout* seconds.

    The greeting is no sign: another thread sends it, while devices are still being made and may fail. Without the
    library, which takes longer to import than a small guest to boot.
    """
    asked = b'{"execute": "qmp_capabilities"}\n{"execute": "query-status"}\n'
    said = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            connection.sendall(asked)
            while b'"running"' not in said and len(said) < ANSWER_LIMIT:
                piece = connection.recv(4096)
                if not piece:
                    return False
                said += piece
        except OSError:
            return False
    return b'"running"' in said


class Monitor:
    """A connection on which several commands follow one another. Others wait until it is closed."""

    def __init__(self, runner: asyncio.Runner, client: QMPClient, timeout: float) -> None:
        self._runner = runner
        self._client = client
        self._timeout = timeout

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> Any:
        """The answer to *command*.

        Raises:
            FinbackError: F546, QEMU refuses it, or does not answer.

        """
        from qemu.qmp import ExecuteError, QMPError

        given = dict(arguments) if arguments else None
        try:
            return self._runner.run(_within(self._timeout, self._client.execute(command, given)))
        except ExecuteError as failure:
            raise error("F546", f"QEMU refuses {command}: {failure}", help=_ADVICE) from None
        except (QMPError, OSError, EOFError, TimeoutError):
            raise error("F546", f"QEMU does not answer to {command}", help=_ADVICE) from None

    def wait(self, seconds: float) -> None:
        """Let QEMU do something else."""
        import asyncio

        self._runner.run(asyncio.sleep(seconds))

    def job(self, command: str, arguments: Mapping[str, object], identity: str) -> None:
        """Run *command*, which starts a job called *identity*, to the end of that.

        Raises:
            FinbackError: F546, as of `execute`, or the job fails.

        """
        self.execute(command, {"job-id": identity, **arguments})
        while True:
            found = next((j for j in self.execute("query-jobs") if j["id"] == identity), None)
            if found is None or found["status"] == "concluded":
                break
            self.wait(JOB_INTERVAL)
        if found is not None:
            self.execute("job-dismiss", {"id": identity})
            if found.get("error"):
                raise error("F546", f"QEMU fails at {command}: {found['error']}", help=_ADVICE)


_ADVICE = "see the state folder's qemu.log, and whether the machine still runs: finback ps"


@contextmanager
def monitor(path: Path, timeout: float) -> Iterator[Monitor]:
    """A connection to the QMP socket at *path*; each command may take *timeout* seconds.

    Raises:
        FinbackError: F546, nobody answers there.

    """
    import asyncio

    from qemu.qmp import QMPError

    with asyncio.Runner() as runner:
        client = _client(runner)
        try:
            runner.run(_connected(client, path, timeout))
        except (QMPError, OSError, EOFError, TimeoutError):
            raise error("F546", f"QEMU does not answer at {path}", help=_ADVICE) from None
        try:
            yield Monitor(runner, client, timeout)
        finally:
            _leave(runner, client)


def listen(path: Path, heard: Callable[[str, Mapping[str, object]], None], ended: Callable[[], bool]) -> None:
    """Call *heard* with the name and the data of each event on the QMP socket at *path*, until *ended* or QEMU ends."""
    from qemu.qmp import QMPError

    async def follow(client: QMPClient) -> None:
        import asyncio

        while not ended():
            try:
                async with asyncio.timeout(0.2):
                    event = await client.events.get()
            except TimeoutError:
                if client.runstate.name != "RUNNING":
                    return
                continue
            data = event.get("data")
            heard(str(event["event"]), data if isinstance(data, dict) else {})

    import asyncio

    with asyncio.Runner() as runner:
        client = _client(runner)
        try:
            runner.run(_connected(client, path, 5))
            runner.run(follow(client))
        except (QMPError, OSError, EOFError, TimeoutError):
            return
        finally:
            _leave(runner, client)


def _client(runner: asyncio.Runner) -> QMPClient:
    from qemu.qmp import QMPClient

    # The library reports a connection that ends, which is what `quit` is for, to its logger and to asyncio's handler
    # of forgotten exceptions. Both are silenced here, and nowhere else.
    logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL + 1)
    runner.get_loop().set_exception_handler(lambda _loop, _context: None)

    async def make() -> QMPClient:
        return QMPClient("finback")

    return runner.run(make())


async def _connected(client: QMPClient, path: Path, timeout: float) -> None:
    import asyncio

    async with asyncio.timeout(timeout):
        await client.connect(str(path))


async def _within(timeout: float, answer: Any) -> Any:
    import asyncio

    async with asyncio.timeout(timeout):
        return await answer


def _leave(runner: asyncio.Runner, client: QMPClient) -> None:
    from qemu.qmp import QMPError

    async def leave() -> None:
        import asyncio

        try:
            async with asyncio.timeout(1):
                await client.disconnect()
        except (QMPError, OSError, EOFError, TimeoutError):
            pass

    runner.run(leave())
