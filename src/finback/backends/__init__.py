"""Ways to run an image: one module each, binding `BACKEND`.

A backend turns a request, which names artifacts and options, into a command line. It starts nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from finback.ground.paths import StrPath
from finback.ground.plugin import Registry
from finback.host.process import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A disk of the machine."""

    path: StrPath | None = None
    """None: a file in the machine's state folder. A `Path` when it is read."""
    size: int | None = None
    """Bytes to make it with, when it is not there."""
    format: str = ""
    """QEMU's word. "" is raw."""
    bus: str = "virtio"
    """`virtio`, `sata`, `nvme`, `scsi`, or `cdrom`: a drive with a disc in it."""
    serial: str = ""
    """Its serial number, 20 characters at the most. Default: `disk` and its place."""

    def __post_init__(self) -> None:
        if self.path is not None:
            object.__setattr__(self, "path", Path(self.path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """UEFI firmware, as two flash chips."""

    code: Path
    variables: Path
    """The machine's own variable store."""
    template: Path
    """What a new variable store is a copy of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A port of this machine that leads to one of the guest."""

    host: int
    guest: int
    protocol: str = "tcp"
    address: str = "127.0.0.1"
    """IPv4, or IPv6 without brackets."""
    relayed: int = 0
    """The port of 127.0.0.1 from which QEMU takes it; another process takes it from `host` there. 0: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestAddress:
    """The IPv4 address that a guest gives itself, and the network around it. All but `length` as text."""

    address: str
    network: str
    """With its length: `10.0.2.0/24`."""
    length: int
    """Of the network as the guest sees it, which may be smaller."""
    router: str
    """What the guest sends everything to that is not for its network."""
    server: str
    """The name server in the network."""
    lease: str
    """What a DHCP server gives out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What to run: the request and the facts about this machine, in one value. Sizes are in MiB."""

    name: str
    architecture: str
    kernel: Path | None = None
    """Booted directly with `initrd` and `cmdline`; without an initrd, a unified image for firmware. None: `boot`."""
    initrd: Path | None = None
    cmdline: str = ""
    boot: Disk | None = None
    """The disk to boot. Its file stays as it is: what is written to it is gone when the machine ends."""
    firmware: Firmware | None = None
    """None: the machine's own, a BIOS on amd64."""
    memory: int = 1024
    cpus: int = 1
    disks: tuple[Disk, ...] = ()
    discs: tuple[Path, ...] = ()
    """Images put in as CD-ROMs."""
    secrets: tuple[tuple[str, Path], ...] = ()
    """Names, and the files that hold the values."""
    forwards: tuple[Forward, ...] = ()
    tpm: bool = False
    """A TPM 2.0 in software. What it remembers is in the state folder."""
    networking: str = "user"
    """`user`, `passt`, `isolated`, `none`, `tap,INTERFACE` or `bridge,BRIDGE`."""
    guest: GuestAddress | None = None
    """The address that the guest gives itself. None: it asks by DHCP."""
    host_loopback: bool = False
    """The guest reaches what listens on this machine's loopback. QEMU's own `user` network can't prevent it."""
    resolver: str = ""
    """With passt: an address at which the guest reaches this machine's name server, where that is on the loopback."""
    sandbox: bool = True
    """QEMU gives up the system calls that it does not need."""
    root: bool = False
    """Root runs it, and must say so to programs that would rather be somebody else."""
    switches: tuple[Path, ...] = ()
    """Sockets of switches; a network card for each, beside the one of `networking`."""
    slots: int = 0
    """Disks that can be added while the machine runs."""
    memory_file: Path | None = None
    """A qcow2 image that takes the state of memory and devices in a snapshot. None: none can be made."""
    accelerator: str = "tcg"
    mac: str
    uuid: str
    state: Path
    """Folder for logs and the process id."""
    sockets: Path
    """Folder for sockets: the state folder, or one with a shorter path."""
    foreground: bool = True
    """The console is this terminal; otherwise a file in the state folder."""
    reboot: bool = True
    """A restart of the guest restarts it; otherwise it ends the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A program that runs beside a machine. It is started before it, and ends by itself when the machine does."""

    command: Command
    """Ends well once the program is ready, in the background."""
    pid: Path
    """The file in which it leaves its process id while it runs."""
    word: str
    """Which of its arguments nothing else has."""
    state: Path
    """Folder for what it keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The declaration of a backend."""

    command: Callable[[Machine], Command]
    programs: Callable[[Machine], tuple[str, ...]]
    """Programs that must be installed to run the machine."""
    companions: Callable[[Machine], tuple[Companion, ...]] = lambda _machine: ()
    """What runs beside it."""


BACKENDS: Registry[Backend] = Registry("finback.backends", "BACKEND", "backend")
