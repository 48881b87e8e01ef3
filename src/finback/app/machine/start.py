"""Run a built image: the request becomes a machine, the machine a command line, and that a process."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from finback.app.machine import accelerator, companion, drive, named_disks, secret
from finback.app.machine import firmware as firmwares
from finback.app.machine import memory as initrd_memory
from finback.app.machine import running as machines
from finback.app.machine.running import Running
from finback.assemble import command_line
from finback.backends import BACKENDS, Disk, Forward, GuestAddress, Machine
from finback.backends.qemu import CONSOLE, CONTROL_SOCKET, EVENTS, QMP_SOCKET
from finback.codec import iso9660, linux_image, strict_json
from finback.ground.diagnostic import FinbackError, error
from finback.ground.event import Emit, Noted
from finback.ground.platform import ARCHITECTURES
from finback.host import child, clock, environment, file, folder, port, probe, process, qmp
from finback.host.machine import has_resolver_on_loopback, has_seccomp, host_platform, is_root, new_uuid
from finback.host.process import Command

CMDLINE_LIMIT = 1 << 16
RECORD_LIMIT = 1 << 20
IDENTITY = "identity.json"
DISC = "data.iso"
VARIABLES = "variables.fd"
LOG = "qemu.log"
# There once it was said that the guest reaches the loopback.
LOOPBACK = "loopback-noted"
MEMORY_FILE = "memory.qcow2"
# Of the range that no network has (RFC 3927); passt takes queries to it to this machine's name server.
RESOLVER = "169.254.1.53"
# Snapshots lie behind what a guest would see of it.
MEMORY_FILE_SIZE = 1 << 20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# QEMU reads kernel and initrd before it answers.
ANSWER_SECONDS = 60.0
PARTS = ("-kernel", "-initrd.img", "-cmdline")
# A unified image is no disk, but is booted like one.
UNIFIED = "uki"
DISK_FORMATS = {
    ".img": "raw", ".raw": "raw", ".iso": "raw", ".qcow2": "qcow2", ".vhd": "vpc", ".vhdx": "vhdx", ".vmdk": "vmdk",
    ".efi": UNIFIED,
}  # fmt: skip
# The image of a root that a kernel mounts is no disk to boot from either.
ROOT = re.compile(r"(.+)-(squashfs|erofs)\.img")
ROOTS = ("squashfs", "erofs")
# What the kernel calls the first disk on a bus.
ROOT_DEVICES = {
    "virtio": "/dev/vda",
    "sata": "/dev/sda",
    "scsi": "/dev/sda",
    "nvme": "/dev/nvme0n1",
    "cdrom": "/dev/sr0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asks for."""

    prefix: Path
    """What the artifacts' names begin with: `web` for web-kernel and so on. Or the file of a disk or of a root:
    `web.qcow2`, `web-squashfs.img`.
    """
    firmware: str = "auto"
    """What boots a disk: `bios` or `uefi`. `auto`: a BIOS where there is one, unless the disk is for UEFI only."""
    bus: str = ""
    """What a disk that is booted is attached to. Default: a disc lies in a drive, all others are virtio's."""
    architecture: str = ""
    """Default: what the kernel is made for, else this machine's."""
    memory: int = 1024
    cpus: int = 1
    disks: tuple[Disk, ...] = ()
    forwards: tuple[Forward, ...] = ()
    tpm: bool = False
    networking: str = "user"
    guest: GuestAddress | None = None
    """The address that the guest gives itself. None: it asks by DHCP."""
    host_loopback: bool = False
    """The guest may reach what listens on this machine's loopback."""
    sandbox: bool = True
    """QEMU gives up the system calls that it does not need, on Linux."""
    accelerator: str = "auto"
    data: bytes | None = None
    """Metadata for the guest, put on a disc labelled `config`."""
    secrets: tuple[tuple[str, Path], ...] = ()
    """Secrets for the guest: their names, and the files that hold them."""
    state: Path | None = None
    detach: bool = False
    reboot: bool = True
    appends: bool = False
    """Console and timeline of the runs before are kept, and added to."""
    anew: bool = False
    """What the machine itself remembers, its TPM and its firmware's variables, is forgotten first."""
    switches: tuple[Path, ...] = ()
    """Sockets of switches; a network card for each, beside the one of `networking`."""
    slots: int = 0
    """Disks that can be added while the machine runs."""
    snapshots: bool = False
    """Snapshots can be made of it: its own disks are then qcow2."""
    backend: str = "qemu"

    @property
    def name(self) -> str:
        """The machine's name."""
        root = ROOT.fullmatch(self.prefix.name)
        if root:
            return root[1]
        return self.prefix.stem if self.disk_format else self.prefix.name

    @property
    def disk_format(self) -> str:
        """QEMU's word for the form of the disk that is to be booted; "" when it is a kernel."""
        return "" if ROOT.fullmatch(self.prefix.name) else DISK_FORMATS.get(self.prefix.suffix, "")

    @property
    def root(self) -> str:
        """The file system of the root that the kernel mounts: what is named, or is there without an initrd; or ""."""
        named = ROOT.fullmatch(self.prefix.name)
        if named:
            return named[2]
        built = (k for k in ROOTS if self.part(f"-{k}.img").is_file())
        return "" if self.part("-initrd.img").is_file() else next(built, "")

    def part(self, suffix: str) -> Path:
        """The artifact whose name ends with *suffix*."""
        return self.prefix.with_name(f"{self.name}{suffix}").absolute()


def plan_machine(request: Request, emit: Emit) -> Machine:
    """The machine for *request*; nothing is written but what is learnt about KVM.

    Raises:
        FinbackError: F520 no QEMU, F522 artifacts are missing or not for this architecture, F521 no such acceleration,
            F524 no place for the state, F529 the networking does not go with the rest,
            F533 there is too little memory.

    """
    state = (request.state or machines.machines_folder() / request.name).absolute()
    started = _disk_started(request, state) if request.disk_format else _kernel_started(request)
    architecture = str(started["architecture"])
    identity = _identity(state)
    if request.forwards and request.networking not in ("user", "passt", "isolated"):
        raise error(
            "F529",
            f"nothing can be published with networking {request.networking}",
            help="use --networking user",
        )
    machine = Machine(
        name=request.name,
        **started,
        memory=request.memory,
        cpus=request.cpus,
        disks=tuple(drive.placed(d, n, state) for n, d in enumerate(request.disks)),
        discs=() if request.data is None else (state / DISC,),
        secrets=secret.checked(request.secrets, architecture),
        forwards=tuple(_relayed(f, request.networking) for f in request.forwards),
        tpm=request.tpm,
        networking=request.networking,
        guest=request.guest,
        host_loopback=request.host_loopback,
        resolver=RESOLVER if request.networking == "passt" and has_resolver_on_loopback() else "",
        sandbox=request.sandbox and has_seccomp(),
        root=is_root(),
        mac=card_of(identity),
        uuid=identity,
        state=state,
        sockets=_sockets(state),
        foreground=not request.detach,
        reboot=request.reboot,
        switches=request.switches,
        slots=request.slots,
        memory_file=state / MEMORY_FILE if request.snapshots else None,
    )
    _check_programs(machine, request.backend)
    return replace(machine, accelerator=accelerator.choose(request.accelerator, architecture, emit))


def _relayed(forward: Forward, networking: str) -> Forward:
    """*forward*, with a port of the IPv4 loopback between where QEMU itself can't listen on the address."""
    if ":" not in forward.address or networking == "passt":
        return forward
    if forward.protocol == "udp":
        raise error(
            "F529",
            f"QEMU's user network can't publish the UDP port {forward.host} on the IPv6 address {forward.address}",
            help="publish it on an IPv4 address, or use --networking passt",
        )
    return replace(forward, relayed=probe.free_port("127.0.0.1"))


def _check_programs(machine: Machine, backend: str) -> None:
    for program in BACKENDS.get(backend).programs(machine):
        if process.find(program) is None:
            package = _package(program, machine.architecture)
            raise error(
                "F520",
                f"there is no program {program}",
                help=f"install it: apt install {package}, or brew install qemu swtpm",
            )


def command(request: Request, emit: Emit) -> Command:
    """The command line that `start` or `attend` would run.

    Raises:
        FinbackError: what `plan_machine` raises.

    """
    return BACKENDS.get(request.backend).command(plan_machine(request, emit))


def _nothing() -> None:
    """Nothing is to be done before the machine starts."""


def start(request: Request, emit: Emit, ready: Callable[[], None] = _nothing) -> Running:
    """Start the machine in the background; it runs, and has not ended at once, when this returns.

    *ready* is called when nothing is missing, before the machine's process is started.

    Raises:
        FinbackError: what `plan_machine` raises; F523 a port can't be published; F525 it runs already; F526 it ended at
            once; F528 a disk can't be made.

    """
    machine = plan_machine(replace(request, detach=True), emit)
    with _prepared(machine, request) as running:
        ready()
        log = machine.state / LOG
        pid = child.detached(BACKENDS.get(request.backend).command(machine), log)
        try:
            _wait_for_answer(machine, pid, log)
        except BaseException:
            child.end(pid, machine.uuid, machines.GRACE)
            machines.forget(running)
            raise
    return running


def attend(request: Request, emit: Emit, ready: Callable[[], None] = _nothing) -> tuple[int, Running]:
    """Run the machine on this terminal until it ends: QEMU's exit status, and the machine for its logs.

    *ready* is called when nothing is missing, before the machine's process is started.

    Raises:
        FinbackError: what `start` raises, but for F526.

    """
    machine = plan_machine(replace(request, detach=False), emit)
    with _prepared(machine, request) as running:
        try:
            ready()
            status = child.foreground(BACKENDS.get(request.backend).command(machine))
            # What it said last is still being written down.
            child.until(lambda: not running.alive, machines.GRACE)
            return status, running
        finally:
            machines.forget(running)


def note_loopback(request: Request, emit: Emit) -> None:
    """Say, once for each machine, that its guest reaches this machine's loopback, where that can't be prevented."""
    if request.networking != "user" or request.host_loopback:
        return
    state = (request.state or machines.machines_folder() / request.name).absolute()
    if (state / LOOPBACK).exists():
        return
    folder.make_private(state)
    with file.writing(state / LOOPBACK):
        pass
    router = request.guest.router if request.guest else "10.0.2.2"
    emit(
        Noted(
            text=f"the guest can reach what listens on this machine's loopback, as {router}: QEMU's user network can't "
            "prevent that; --networking passt or isolated does, and --host-loopback says that it is intended"
        )
    )


def note_missing_disks(request: Request, emit: Emit) -> None:
    """Say which disks the kernel's command line or the file beside the image names, and the machine does not have."""
    texts = [named_disks.file_beside(request.prefix)]
    cmdline = request.part("-cmdline")
    if not request.disk_format and cmdline.is_file():
        texts.append(file.read(cmdline, limit=CMDLINE_LIMIT).decode("utf-8", "replace"))
    disks = list(request.disks)
    if request.disk_format or request.root:
        disks.append(Disk(bus=request.bus or "virtio"))
    named_disks.note_missing(texts, disks, emit)


def _kernel_started(request: Request) -> dict[str, Any]:
    if not NAME.fullmatch(request.name):
        raise error(
            "F522",
            f"{str(request.prefix)!r} is not the name of an image",
            help="name it as `build` did: talk for talk.yml",
        )
    root = request.root
    kernel, initrd, cmdline = _artifacts(request, root)
    if initrd is not None:
        initrd_memory.check(initrd, request.memory, cmdline)
    architecture = _architecture(request, kernel)
    started = {"architecture": architecture, "kernel": kernel, "initrd": initrd, "cmdline": cmdline}
    if not root:
        return started
    bus = request.bus or "virtio"
    if not re.search(r"(^| )root=", cmdline):
        started["cmdline"] = cmdline = f"{cmdline} root={ROOT_DEVICES[bus]}".strip()
        if over := command_line.too_long(architecture, cmdline):
            raise error(
                "F163",
                f"with `root=`, the command line is {over} bytes too long for a kernel for {architecture}",
                help="shorten `cmdline` and build the image again",
            )
    return {**started, "boot": Disk(path=request.part(f"-{root}.img"), bus=bus)}


def _disk_started(request: Request, state: Path) -> dict[str, Any]:
    path = request.prefix.absolute()
    if not NAME.fullmatch(request.name) or not path.is_file():
        raise error("F522", f"there is no disk {path}", help="build it first, such as with: finback build --format raw")
    architecture = request.architecture or host_platform().architecture
    unified = request.disk_format == UNIFIED
    kind = request.firmware
    if kind == "auto":
        has_bios = architecture == "amd64" and not unified and not request.name.endswith(("-efi", "-efi-initrd"))
        kind = "bios" if has_bios else "uefi"
    if kind == "bios" and (unified or architecture != "amd64"):
        raise error("F522", f"no BIOS boots {path.name} on {architecture}", help="use --firmware uefi")
    firmware = firmwares.find(architecture, state / VARIABLES) if kind == "uefi" else None
    started: dict[str, Any] = {"architecture": architecture, "firmware": firmware}
    if unified:
        return {**started, "kernel": path}
    bus = request.bus or ("cdrom" if path.suffix == ".iso" else "virtio")
    return {**started, "boot": Disk(path=path, format=request.disk_format, bus=bus)}


def _artifacts(request: Request, root: str) -> tuple[Path, Path | None, str]:
    """Kernel, initrd and command line. A kernel that has what its *root* needs has no initrd."""
    kernel, initrd, cmdline = (request.part(p) for p in PARTS)
    needed = [kernel, initrd, cmdline]
    if root:
        initrd, needed = request.part(f"-{root}-initrd.img"), [kernel, cmdline, request.part(f"-{root}.img")]
    missing = [p.name for p in needed if not p.is_file()]
    if missing:
        stem = re.sub(r"(\.ya?ml|-kernel|(-squashfs|-erofs)?(-initrd)?\.img|-cmdline)$", "", str(request.prefix))
        advice = f"build it first: finback build -f kernel+{root or 'initrd'} {stem}.yml; then: finback run {stem}"
        others = [f"{stem}-{a}" for a in ARCHITECTURES if Path(f"{stem}-{a}-kernel").is_file()]
        if others:
            advice = f"there is {', '.join(others)}, for another architecture: finback run {others[0]}; or {advice}"
        raise error("F522", f"there is no {' and no '.join(missing)} in {kernel.parent}", help=advice)
    text = file.read(cmdline, limit=CMDLINE_LIMIT).decode("utf-8", "surrogateescape")
    if "\0" in text:
        raise error("F522", f"{cmdline} is not a kernel command line", help="build the image again")
    return kernel, initrd if initrd.is_file() else None, " ".join(text.split("\n")).strip()


def _architecture(request: Request, kernel: Path) -> str:
    with file.opened(kernel) as stream:
        found = linux_image.architecture(stream.read(linux_image.HEAD))
    wanted = request.architecture or found or host_platform().architecture
    if found and wanted != found:
        raise error(
            "F522", f"{kernel} is for {found}, not for {wanted}", help=f"leave out --arch, or use --arch {found}"
        )
    return wanted


def _package(program: str, architecture: str) -> str:
    if not program.startswith("qemu"):
        return program
    return {"amd64": "qemu-system-x86", "arm64": "qemu-system-arm"}.get(architecture, "qemu-system-misc")


def card_of(identity: str) -> str:
    """The hardware address of a machine's first card; locally administered, in the range of QEMU's own examples."""
    return "52:54:00:" + ":".join(re.findall("..", identity.replace("-", "")[-6:]))


def _identity(state: Path) -> str:
    """The UUID that the machine had before, or a new one."""
    try:
        found = strict_json.plain(file.read(state / IDENTITY, limit=RECORD_LIMIT))["uuid"]
    except (FinbackError, ValueError, KeyError, TypeError):
        return new_uuid()
    return found if isinstance(found, str) and UUID.fullmatch(found) else new_uuid()


def _sockets(state: Path) -> Path:
    """Where the sockets go: their paths are bounded by the kernel, the state folder's is not."""
    short = environment.runtime_folder() / sha256(str(state).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    for place in (state, short):
        if len(str(place / CONTROL_SOCKET).encode("utf-8", "surrogateescape")) <= port.PATH_LIMIT:
            return place
    raise error("F524", f"the path {state} is too long for sockets", help="name a shorter one with --state")


@contextmanager
def _prepared(machine: Machine, request: Request) -> Iterator[Running]:
    """The state folder made ready and locked, the machine written down, for a block that runs it."""
    folder.make_private(machine.state)
    with folder.locked(machine.state / machines.LOCK) as free:
        known = machines.load(machine.state)
        if not free or (known is not None and known.alive):
            raise error(
                "F525", f"{request.name} runs already", help=f"finback stop {request.name}, or name another --state"
            )
        if known is not None:
            machines.forget(known)
        _check_ports(machine.forwards)
        if machine.sockets != machine.state:
            folder.make_private(machine.sockets.parent)
            folder.make_private(machine.sockets)
        companions = BACKENDS.get(request.backend).companions(machine)
        if request.anew:
            folder.sweep(machine.state, (VARIABLES, *(c.state.name for c in companions if c.state != machine.state)))
        for disk in machine.disks:
            drive.make(disk)
        if machine.memory_file is not None:
            drive.make(Disk(path=machine.memory_file, format="qcow2", size=MEMORY_FILE_SIZE))
        if machine.firmware is not None:
            firmwares.prepare(machine.firmware)
        folder.sweep(machine.state, (LOG, DISC) if request.appends else (EVENTS, CONSOLE, LOG, DISC))
        if request.data is not None:
            with file.writing(machine.state / DISC) as out:
                out.write(iso9660.small("config", {"config": request.data}))
        with file.writing(machine.state / IDENTITY) as out:
            out.write(json.dumps({"uuid": machine.uuid}).encode())
        running = Running(
            name=machine.name,
            uuid=machine.uuid,
            started=clock.now(),
            state=machine.state,
            sockets=machine.sockets,
            forwards=machine.forwards,
            detached=not machine.foreground,
            guest=machine.guest.address if machine.guest else "",
        )
        machines.remember(running)
        with companion.beside(running, companions):
            yield running


def _check_ports(forwards: tuple[Forward, ...]) -> None:
    taken: set[tuple[str, int, str]] = set()
    for forward in forwards:
        key = (forward.address, forward.host, forward.protocol)
        reason = "it is published twice" if key in taken else port.trouble(*key)
        if reason:
            raise error(
                "F523",
                f"{forward.protocol} port {forward.host} of {forward.address} can't be published: {reason}",
                help=f"publish on another port: --publish HOST:{forward.guest}; `finback ps` lists what machines use",
            )
        taken.add(key)


def _wait_for_answer(machine: Machine, pid: int, log: Path) -> None:
    """Until QEMU tells its state, which it does once everything that the machine is made of is there."""
    socket = machine.sockets / QMP_SOCKET

    def settled() -> bool:
        return child.gone(pid, machine.uuid, 0) or qmp.is_up(socket, 1)

    answered = child.until(settled, ANSWER_SECONDS)
    if answered and not child.gone(pid, machine.uuid, 0):
        return
    said = file.read(log, limit=RECORD_LIMIT).decode("utf-8", "replace").strip()
    what = "ended at once" if answered else f"did not answer within {ANSWER_SECONDS:.0f} s"
    raise error(
        "F526", f"QEMU {what}: {said or 'it said nothing'}", help="check the options; --dry-run shows the command"
    )
