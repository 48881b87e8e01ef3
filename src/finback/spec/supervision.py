"""How the system inside treats a container: the part of the model that the guest's init acts upon.

LinuxKit knows none of these keys; without them a file keeps its meaning (docs/explanation/guest.md). Times are in
whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from finback.ground.source import Origin, origin
from finback.spec.limit import key

RestartPolicy = Literal["always", "on-failure", "no"]
FailurePolicy = Literal["continue", "halt", "reboot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before a service that has ended is started again: longer each time, until it runs well."""

    first: int | None = None
    """Seconds before the first new start; each further wait is twice as long. Default: 1."""
    most: int | None = None
    """Seconds that no wait exceeds. A service that has run that long begins anew with `first`. Default: 60."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class StartLimit:
    """How often a service is started before it is given up."""

    starts: int
    """Starts, at most, ..."""
    within: int
    """... in this many seconds."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What shows that a service can be used: one of `file`, `socket`, `tcp`, `http`, `notify` and `command`."""

    file: str | None = None
    """Path in the container that appears. Absolute links on the way there are not followed."""
    socket: str | None = None
    """Path of the unix socket that something listens on, as the program spells it."""
    tcp: int | None = None
    """TCP port that something listens on in the container's network."""
    http: str | None = None
    """URL that answers a GET with a status of success, asked from the container's network: `http://127.0.0.1:80/`."""
    notify: bool | None = None
    """The program writes a line to file descriptor 3, as s6 has it. Not with containerd."""
    command: tuple[str, ...] | None = None
    """Command that succeeds when it is run in the container."""
    timeout: int | None = None
    """Seconds after the start of the program within which that must be so, or else the service counts as failed and is
    stopped. Default: 60."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What shows that a service still works, once it is ready: one of `file`, `socket`, `tcp`, `http` and `command`."""

    file: str | None = None
    """Path in the container that is there. Absolute links on the way there are not followed."""
    socket: str | None = None
    """Path of the unix socket that something listens on, as the program spells it."""
    tcp: int | None = None
    """TCP port that something listens on in the container's network."""
    http: str | None = None
    """URL that answers a GET with a status of success, asked from the container's network: `http://127.0.0.1:80/`."""
    command: tuple[str, ...] | None = None
    """Command that succeeds when it is run in the container."""
    interval: int | None = None
    """Seconds between two questions. Default: 30."""
    timeout: int | None = None
    """Seconds that a command may take. Default: 10."""
    retries: int | None = None
    """How often in a row it must fail until the service counts as ill. Default: 3."""
    start_period: int | None = key("startPeriod")
    """Seconds after the service became ready in which failures do not count. Default: 0."""
    on_failure: Literal["restart", "reboot", "report"] | None = key("onFailure")
    """What happens then: the service counts as failed and is stopped, the machine restarts in order, or it is only
    said. Default: restart."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """How a service is stopped."""

    signal: int | str | None = None
    """Signal that asks for it, by name or number: `SIGTERM`, `INT`, `SIGRTMIN+3`, `37`. Default: the image's
    `STOPSIGNAL`, else SIGTERM."""
    timeout: int | None = None
    """Seconds until it is killed. Default: 5."""
    origin: Origin = origin()


SERVICE_KEYS = ("restart", "backoff", "startLimit", "needs", "ready", "health", "stop", "networks", "ports")
"""Keys that only a service can have."""
STEP_KEYS = {"onFailure": ("onboot",), "timeout": ("onboot", "onshutdown")}
"""Keys that only a step can have, and the sections of the steps."""
