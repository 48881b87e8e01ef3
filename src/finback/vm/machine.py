"""A machine as a value: what it is made of. What becomes of it lies in its state folder."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from finback.app.machine import control, session, stopping
from finback.app.machine import running as machines
from finback.app.machine import start as run
from finback.app.machine.guest_address import network_of
from finback.app.machine.running import Running
from finback.app.machine.service_state import ServiceStatus, service_states
from finback.app.trial import expectations
from finback.backends import Disk, Forward
from finback.backends.qemu import CONSOLE
from finback.codec import strict_json
from finback.ground.diagnostic import FinbackError, error
from finback.ground.event import silent
from finback.ground.paths import StrPath
from finback.host import child, clock, file, journal, probe
from finback.vm.event import Event, events
from finback.vm.network import Network

DEFINITION = "vm.json"
RECORD_LIMIT = 1 << 20
INTERVAL = 0.2
# In the machine: until each service can be used. A service's folder says so with a file that is not empty.
READY = """
read -r names <<-END
	$(tr '\\n' ' ' </etc/finback/services 2>/dev/null)
END
for name in $names; do
	until [ -s "/run/service/$name/ready" ]; do
		usleep 200000
	done
done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a command ended, and what it wrote."""

    status: int
    output: bytes
    errors: bytes

    @property
    def text(self) -> str:
        """The output as text."""
        return self.output.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class VM:
    """A machine: its definition. Two with the same state folder are the same machine."""

    image: StrPath
    """What its image is called, as for `finback run`: `web` for web-kernel and web-initrd.img, or a disk's file."""
    state: StrPath
    """Folder for its logs, sockets, disks and identity. It stays when the machine has ended."""
    memory: int = 1024
    """MiB."""
    cpus: int = 1
    disks: tuple[Disk, ...] = ()
    """Disks without a path lie in the state folder, and are qcow2 unless they say otherwise."""
    ports: tuple[Forward, ...] = ()
    """Published ports; `host=0` takes any that is free."""
    networks: tuple[Network, ...] = ()
    """Networks with other machines; a card for each, beside the one that reaches the outside."""
    networking: str = "user"
    """`user`, `passt`, `isolated`, `none`, `tap,INTERFACE` or `bridge,BRIDGE`."""
    guest_address: str = ""
    """The fixed IPv4 address that the guest gives itself, as `10.0.2.20/24`. Default: it asks by DHCP."""
    host_loopback: bool = False
    """The guest may reach what listens on this machine's loopback, where that is a choice: with `passt`."""
    accelerator: str = "auto"
    """`auto`, `kvm`, `hvf` or `tcg`."""
    architecture: str = ""
    """Default: what the kernel is made for."""
    data: bytes | None = None
    """Metadata for the guest, put on a disc labelled `config`."""
    slots: int = 4
    """Disks that can be added while it runs."""
    snapshots: bool = True
    """Snapshots can be made of it."""
    reboot: bool = True
    """A restart of the guest restarts it; otherwise it ends the machine."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", Path(self.image))
        object.__setattr__(self, "state", Path(self.state))

    @property
    def folder(self) -> Path:
        """The state folder, as an absolute path."""
        return Path(self.state).absolute()

    @classmethod
    def attach(cls, state: StrPath) -> VM:
        """The machine whose state folder is *state*, whoever started it by this library, running or not.

        Raises:
            FinbackError: F527, there is none.

        """
        try:
            body: dict[str, Any] = strict_json.plain(file.read(Path(state) / DEFINITION, limit=RECORD_LIMIT))
            data = body.pop("data")
            return cls(
                image=Path(body.pop("image")),
                state=state,
                disks=tuple(Disk(**{**d, "path": d["path"] and Path(d["path"])}) for d in body.pop("disks")),
                ports=tuple(Forward(**f) for f in body.pop("ports")),
                networks=tuple(
                    Network(name=n["name"], folder=n["folder"] and Path(n["folder"])) for n in body.pop("networks")
                ),
                data=None if data is None else bytes.fromhex(data),
                **body,
            )
        except (FinbackError, ValueError, KeyError, TypeError, AttributeError):
            raise error(
                "F527", f"there is no machine in {state}", help="name the folder that it was started with"
            ) from None

    def start(self) -> None:
        """Start it; it runs, and has not ended at once, when this returns. It goes on when this process ends.

        Raises:
            FinbackError: what `finback.app.machine.start.start` raises; F539, a network can't be started.

        """
        with ExitStack() as stack:
            for network in self.networks:
                stack.enter_context(network.running())
            run.start(self._request(), silent)
        control.forget_snapshots(self._running())
        body = {**asdict(self), "data": None if self.data is None else self.data.hex()}
        del body["state"]
        with file.writing(self.folder / DEFINITION) as out:
            out.write(json.dumps(body, default=str).encode())

    def _request(self) -> run.Request:
        form = "qcow2" if self.snapshots else "raw"
        return run.Request(
            prefix=Path(self.image),
            architecture=self.architecture,
            memory=self.memory,
            cpus=self.cpus,
            disks=tuple(replace(d, format=form) if d.path is None and not d.format else d for d in self.disks),
            forwards=tuple(f if f.host else replace(f, host=probe.free_port(f.address)) for f in self.ports),
            networking=self.networking,
            guest=network_of(IPv4Interface(self.guest_address)) if self.guest_address else None,
            host_loopback=self.host_loopback,
            accelerator=self.accelerator,
            data=self.data,
            state=self.folder,
            reboot=self.reboot,
            switches=tuple(n.socket for n in self.networks),
            slots=self.slots,
            snapshots=self.snapshots,
        )

    def _running(self) -> Running:
        found = machines.load(self.folder)
        if found is None:
            raise error("F527", f"the machine in {self.folder} does not run", help="start it")
        return found

    @property
    def alive(self) -> bool:
        """Whether it runs, or stands still; not ended."""
        found = machines.load(self.folder)
        return found is not None and found.alive

    @property
    def status(self) -> str:
        """QEMU's word for how it is: `running`, `paused`, ...; "ended" when there is no process."""
        found = machines.load(self.folder)
        return (control.state(found) if found is not None and found.alive else "") or "ended"

    @property
    def pid(self) -> int:
        """Its process; 0 when it has ended."""
        found = machines.load(self.folder)
        return found.pid if found is not None else 0

    def stop(self, timeout: float | None = None) -> str:
        """End it: the guest is asked, and its process ended after *timeout* seconds.

        Without a *timeout* the guest has as long as its services may take, and 30 seconds more.

        Returns:
            "stopped" when the guest went by itself, "ended" when its process was ended, "gone" when it was not running.

        Raises:
            FinbackError: F531, the process can't be ended.

        """
        found = machines.load(self.folder)
        return "gone" if found is None else stopping.stop(found, timeout, silent)

    def kill(self) -> None:
        """End it on the spot, as when its power fails.

        Raises:
            FinbackError: F527 it does not run; F531 it can't be ended.

        """
        machines.cut(self._running())

    @contextmanager
    def run(self, timeout: float | None = None) -> Iterator[VM]:
        """Start it for a block, and stop it after that."""
        self.start()
        try:
            yield self
        finally:
            self.stop(timeout)

    def pause(self) -> None:
        """Let it stand still.

        Raises:
            FinbackError: F527 it does not run; F546 QEMU refuses.

        """
        control.pause(self._running())

    def resume(self) -> None:
        """Let it go on; raises as `pause`."""
        control.resume(self._running())

    def add_disk(self, disk: Disk) -> str:
        """Attach *disk*, which the guest sees at once; the name to remove it by. It is gone with the next start.

        Raises:
            FinbackError: F527 it does not run; F528 the disk can't be made; F546 QEMU refuses; F540 there is no slot.

        """
        form = disk.format or ("qcow2" if self.snapshots and disk.path is None else "raw")
        return control.add_disk(self._running(), replace(disk, format=form), self.slots)

    def remove_disk(self, name: str) -> None:
        """Detach the disk *name*, which `add_disk` has returned. Its file stays.

        Raises:
            FinbackError: F527, it does not run; F546, QEMU refuses, or the guest holds on to it.

        """
        control.remove_disk(self._running(), name)

    def snapshot(self, name: str) -> None:
        """Keep the state of memory and disks under *name*, as long as it runs.

        Raises:
            FinbackError: F527 it does not run; F546 QEMU refuses; F541 a disk is not qcow2.

        """
        control.snapshot(self._running(), name)

    def revert(self, name: str) -> None:
        """Go back to what `snapshot` has kept.

        Raises:
            FinbackError: F527 it does not run; F546 QEMU refuses; F541 there is no such snapshot, or disks have come or
                gone since.

        """
        control.revert(self._running(), name)

    def publish(self, guest: int, host: int = 0, protocol: str = "tcp") -> int:
        """Let a port of this machine, any free one by default, lead to the port *guest* from now on; that port.

        Raises:
            FinbackError: F523 it can't be published; F527 it does not run; F546 QEMU refuses.

        """
        wanted = Forward(host=host or probe.free_port("127.0.0.1"), guest=guest, protocol=protocol)
        control.publish(self._running(), wanted)
        return wanted.host

    def port(self, guest: int) -> int:
        """The port of this machine that leads to the TCP port *guest*.

        Raises:
            FinbackError: F527 it does not run; F523 the port is not published.

        """
        for forward in self._running().forwards:
            if (forward.guest, forward.protocol) == (guest, "tcp"):
                return forward.host
        raise error("F523", f"port {guest} is not published", help="name it in `ports`, or publish it")

    def published(self) -> tuple[Forward, ...]:
        """The ports that are published.

        Raises:
            FinbackError: F527, it does not run.

        """
        return self._running().forwards

    def address(self) -> str:
        """Hardware address of its first card; the others' differ in the third byte.

        Raises:
            FinbackError: F527, it does not run.

        """
        return run.card_of(self._running().uuid)

    def execute(self, *command: str, service: str = "", given: bytes = b"", timeout: float | None = None) -> Result:
        """Run *command* in the machine, or in the container of *service*, with the input *given*.

        Raises:
            FinbackError: what `finback.app.machine.session.execute` raises.

        """
        output, errors = bytearray(), bytearray()
        with file.unnamed(given) as source:
            request = session.Request(words=command, service=service, source=source, timeout=timeout)
            status = session.execute(self._running(), request, output.extend, errors.extend)
        return Result(status=status, output=bytes(output), errors=bytes(errors))

    def logs(self, service: str = "") -> str:
        """What *service*, or a boot step such as `000-dhcpcd`, or all services have written.

        Raises:
            FinbackError: what `execute` raises.

        """
        return self.execute("/usr/lib/finback/logs", "all", "no", *([service] if service else [])).text

    def console(self) -> str:
        """What its console has shown since it was started."""
        return expectations.console(Running(name="", uuid="", started=0, state=self.folder, sockets=self.folder))

    def services(self) -> dict[str, ServiceStatus]:
        """How its services stand."""
        return service_states(self._running().events())

    def events(self, timeout: float = 3600) -> Iterator[Event]:
        """What the guest has reported, and then what happens, until it ends or *timeout* seconds are over.

        Raises:
            FinbackError: F527, it does not run.

        """
        return events(self._running(), timeout)

    def wait_until_up(self, timeout: float) -> None:
        """Wait until commands can be run in it.

        Raises:
            FinbackError: F703, that takes more than *timeout* seconds; F704, it has ended.

        """
        running = self._running()

        def settled() -> bool:
            return not running.alive or machines.listens(running)

        if not child.until(settled, timeout):
            raise error("F703", f"{running.name} is not up after {timeout:.0f} s", help=f"see {running.console}")
        if not running.alive:
            raise error("F704", f"{running.name} has ended", help=f"see {running.console}")

    def wait_until_ready(self, timeout: float) -> None:
        """Wait until every service of it can be used, or has ended well and is not started again.

        Raises:
            FinbackError: F703, that takes more than *timeout* seconds; F704, it has ended.

        """
        limit = clock.monotonic() + timeout
        self.wait_until_up(timeout)
        try:
            self.execute("sh", "-c", READY, timeout=max(1.0, limit - clock.monotonic()))
        except FinbackError as failure:
            name = self._running().name
            if not self.alive:
                raise error("F704", f"{name} has ended", help=f"see {self._running().console}") from None
            if failure.diagnostics[0].code != "F547":
                raise
            states = ", ".join(f"{s.name} is {s.state}" for s in self.services().values())
            raise error("F703", f"{name} is not ready after {timeout:.0f} s: {states}", help="see its logs") from None

    def on_console(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Call *callback* with each line that the console has shown and shows, in a thread; what ends that."""
        over = threading.Event()
        path = self.folder / CONSOLE

        def follow() -> None:
            seen = 0
            while True:
                last = over.is_set() or not self.alive
                for at, line in journal.lines(path, seen):
                    seen = at
                    callback(line.decode("utf-8", "replace").rstrip("\r"))
                if last:
                    return
                over.wait(INTERVAL)

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()

        def end() -> None:
            over.set()
            thread.join()

        return end
