"""Docker and Podman on this machine, by the socket that they listen on.

Source: Docker Engine API 1.24 and later, "Export an image"; Podman answers the same requests.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from finback.codec import strict_json
from finback.codec.strict_json import JsonError
from finback.ground.diagnostic import FinbackError, error
from finback.host import environment
from finback.host.file import scratch_file
from finback.host.store import CHUNK

# The daemon gathers an image before it sends the first byte.
SECONDS = 300
LIMIT = 64 << 30
MESSAGE_LIMIT = 1 << 16


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self._path))


def find() -> Path:
    """The socket to use: that of `DOCKER_HOST`, else the first of Docker's and Podman's usual ones that is there.

    Raises:
        FinbackError: F186, there is none.

    """
    chosen = environment.lookup("DOCKER_HOST")
    if chosen is not None:
        if not chosen.startswith("unix://"):
            raise error(
                "F186",
                f"DOCKER_HOST is {chosen}; finback asks daemons on this machine only",
                help="set DOCKER_HOST to unix://PATH, or use `docker save` there and docker-archive:PATH here",
            )
        return Path(chosen.removeprefix("unix://"))
    runtime = environment.lookup("XDG_RUNTIME_DIR")
    places = [Path("/var/run/docker.sock"), Path("/run/podman/podman.sock")]
    if runtime is not None:
        places[1:1] = [Path(runtime, "docker.sock"), Path(runtime, "podman/podman.sock")]
    found = next((p for p in places if p.exists()), None)
    if found is None:
        raise error(
            "F186",
            "no Docker or Podman listens on this machine",
            help=f"start one, or set DOCKER_HOST; looked for: {', '.join(map(str, places))}",
        )
    return found


def save(name: str, path: Path) -> None:
    """Write the image *name* of the local daemon to the new file *path*, as `docker save` does.

    Raises:
        FinbackError: F188 there is no such image, F186 no daemon answers, F187 it refuses, breaks off or sends too
            much.

    """
    place = find()
    with _understood(place), closing(_Connection(place)) as connection:
        connection.request("GET", f"/images/{quote(name, safe='/:@')}/get", headers={"Host": "localhost"})
        reply = connection.getresponse()
        if reply.status != http.client.OK:
            raise _refused(name, place, reply)
        with scratch_file(path) as out:
            size = 0
            for chunk in _chunks(reply, place):
                size += len(chunk)
                if size > LIMIT:
                    raise error("F187", f"{place} sends more than {LIMIT} bytes for {name}", help="use a smaller image")
                out.write(chunk)


def _chunks(reply: http.client.HTTPResponse, place: Path) -> Iterator[bytes]:
    """The body. Trouble with the socket is told from trouble with the file that it is written to."""
    while True:
        with _understood(place):
            chunk = reply.read(CHUNK)
        if not chunk:
            return
        yield chunk


@contextmanager
def _understood(place: Path) -> Iterator[None]:
    try:
        yield
    except http.client.HTTPException as failure:
        raise error(
            "F187", f"what listens at {place} broke off: {failure!r}", help="look at its log, and try again"
        ) from None
    except OSError as failure:
        denied = isinstance(failure, PermissionError)
        raise error(
            "F186",
            f"{place} does not answer: {failure.strerror or failure}",
            help="join the group that may use it, or run as root" if denied else "start the daemon, or set DOCKER_HOST",
        ) from None


def _refused(name: str, place: Path, reply: http.client.HTTPResponse) -> FinbackError:
    body = reply.read(MESSAGE_LIMIT)
    try:
        said = strict_json.read(body).need("message").text()
    except JsonError:
        said = body[:200].decode("utf-8", "replace")
    if reply.status == http.client.NOT_FOUND or "no such image" in said.lower():
        return error("F188", f"{place} has no image {name}", help=f"pull it there first: docker pull {name}")
    return error("F187", f"{place} refuses {name}: {reply.status} {said}", help="look at the daemon's log")
