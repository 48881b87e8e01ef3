"""What must hold once the system has booted: what `finback test` asks, of which machine, and what it does in between.

It is no part of the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from finback.ground.source import Origin, origin
from finback.spec.limit import key

State = Literal["up", "ready", "done", "failed", "stopped", "unready", "ill"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPAnswer:
    """An answer to a GET, asked from the machine that runs the guest through a port published for it."""

    port: int
    """TCP port in the guest."""
    path: str | None = None
    """Path and query. Default: `/`."""
    status: int | None = None
    """Status of the answer. Default: 200."""
    contains: str | None = None
    """Text within the first megabyte of the answer."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPAnswer:
    """Something that a TCP server says, asked as HTTP is. A connection alone proves nothing: QEMU accepts it itself."""

    port: int
    """TCP port in the guest."""
    send: str | None = None
    """Text that is sent first: `"PING\\r\\n"`."""
    contains: str | None = None
    """Text within the first 64 KiB of the answer. Default: anything."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """How a service stands, as the boot timeline has it."""

    name: str
    """Name of the service."""
    state: State | None = None
    """`up` or `ready` and still running; or what has happened once: `done`, `failed`, `stopped`, `unready`, `ill`.
    Default: ready, or up where the service has no `ready`."""
    restarts: int | None = None
    """How often it was started again, at least."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """What comes of a command in the guest. It is run until it does, so it must bear to be run again."""

    command: tuple[str, ...]
    """The program and its arguments."""
    service: str | None = None
    """Name of the service in whose container it runs. Default: the machine itself."""
    status: int | None = None
    """Exit status. Default: 0."""
    contains: str | None = None
    """Text within the first 64 KiB of what it writes."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """A file in the machine, or in the container of a service."""

    path: str
    """Its absolute path."""
    service: str | None = None
    """Name of the service whose container has it. Default: the machine itself."""
    exists: bool | None = None
    """Whether it is there. Default: true."""
    contains: str | None = None
    """Text within its first megabyte."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that is done once all tests above it hold; the tests below it are asked afterwards.

    After a new boot, `console` looks at what was shown since the action began, and `service` at the new boot.
    """

    reboot: bool | None = None
    """The guest is asked to restart, which it must do in order: services stop. Disks keep their content."""
    power_off: bool | None = key("powerOff")
    """The guest is asked to power off, and when it has, the machine is started again."""
    power_cut: bool | None = key("powerCut")
    """The machine is ended on the spot and started again."""
    kill: str | None = None
    """The program of this service gets SIGKILL."""
    exec: CommandResult | None = None
    """A command that is run once, and must end as it says."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeBudget:
    """How large the system may be: kernel and initrd together."""

    most: int
    """Megabytes (10⁶ bytes)."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestMachine:
    """The machine that `finback test` runs the system in; options of the command line come first."""

    memory: int | None = None
    """Memory in MiB. Default: 1024."""
    cpus: int | None = None
    """Processors. Default: 1."""
    disks: tuple[str, ...] | None = None
    """Empty disks: for each its size, a number with `M` or `G`, and what it is attached to and its serial number where
    these matter: `[2G, "64M,bus=nvme,serial=logs"]`. Default: none."""
    networking: Literal["user", "passt", "isolated", "none"] | None = None
    """`user`, `passt`: it reaches what this machine reaches; with `passt`, nothing on this machine's loopback.
    `isolated`: it can only be reached. `none`: it has no network card. Default: user."""
    tpm: bool | None = None
    """A TPM 2.0, which knows nothing yet. Default: false."""
    data: str | None = None
    """Metadata, on a disc labelled `config`. Default: none."""
    secrets: Mapping[str, str] | None = None
    """Values of secrets, by their names: of tests only, for whoever has the file has them. Default: none."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing that must hold after the boot, or is done in between: one of the keys but `name` and `within`."""

    name: str | None = None
    """What it is called in reports. Default: what it asks."""
    console: str | None = None
    """Text in a line of the console."""
    http: HTTPAnswer | None = None
    """An HTTP answer."""
    tcp: TCPAnswer | None = None
    """An answer over TCP."""
    service: ServiceState | None = None
    """The state of a service."""
    exec: CommandResult | None = None
    """What comes of a command."""
    file: FileState | None = None
    """A file."""
    do: Action | None = None
    """What is done between the tests above and below."""
    size: SizeBudget | None = None
    """The size of what was built."""
    within: int | None = None
    """Seconds after the start of the machine, or after the last `do`, by which it holds or is done. Default: 60."""
    origin: Origin = origin()
