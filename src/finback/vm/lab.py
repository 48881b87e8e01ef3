"""Several machines on one network, for tests of systems that speak to each other.

Each has a card that reaches the outside, through which ports are published, and one on the common network, where it has
an address: 192.168.77.1 for the first, and so on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from finback.app import build as building
from finback.app.output import Target
from finback.app.planning import Inputs
from finback.app.workspace import Workspace
from finback.backends import Disk, Forward
from finback.backends.qemu import card_address
from finback.ground.diagnostic import FinbackError, error
from finback.ground.event import Emit, silent
from finback.ground.paths import StrPath
from finback.host import clock, probe
from finback.vm.machine import VM, Result
from finback.vm.network import Network

NETWORK = "192.168.77"
LENGTH = 24
INTERVAL = 1.0
SECONDS = 300.0
# In the machine: the card with the hardware address $1 gets the address $2.
ADDRESS = """
for card in /sys/class/net/*; do
	read -r found <"$card/address"
	[ "$found" = "$1" ] || continue
	ip link set "${card##*/}" up
	ip addr add "$2" dev "${card##*/}"
	exit
done
echo "there is no card $1" >&2
exit 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine of a lab."""

    name: str
    vm: VM
    address: str
    """Its address on the common network."""

    def execute(self, command: str, service: str = "", timeout: float = SECONDS) -> Result:
        """Run *command* by a shell in the machine, or in the container of *service*, whatever comes of it."""
        return self.vm.execute("/bin/sh", "-c", command, service=service, timeout=timeout)

    def succeed(self, command: str, service: str = "", timeout: float = SECONDS) -> str:
        """What *command* writes.

        Raises:
            FinbackError: F705, it does not end with status 0; or what `VM.execute` raises.

        """
        done = self.execute(command, service, timeout)
        if done.status != 0:
            raise _unexpected(f"{self.name}: {command!r} ends with status {done.status}", done)
        return done.text

    def fail(self, command: str, service: str = "", timeout: float = SECONDS) -> str:
        """What *command* writes, which must not end with status 0.

        Raises:
            FinbackError: F705, it does; or what `VM.execute` raises.

        """
        done = self.execute(command, service, timeout)
        if done.status == 0:
            raise _unexpected(f"{self.name}: {command!r} should fail", done)
        return (done.output + done.errors).decode("utf-8", "replace")

    def wait_until_succeeds(self, command: str, service: str = "", timeout: float = SECONDS) -> str:
        """Run *command* again and again until it ends with status 0; what it writes then.

        Raises:
            FinbackError: F703, that takes more than *timeout* seconds.

        """
        last: list[Result | str] = []

        def holds() -> bool:
            try:
                last[:] = [self.execute(command, service, max(1.0, limit - clock.monotonic()))]
            except FinbackError as failure:
                last[:] = [str(failure)]
            return isinstance(last[0], Result) and last[0].status == 0

        limit = clock.monotonic() + timeout
        self._wait(holds, timeout, f"{command!r}", lambda: _said(last[0]))
        assert isinstance(last[0], Result)
        return last[0].text

    def wait_for_service(self, name: str, timeout: float = SECONDS) -> None:
        """Wait until the service *name* is ready, or up where it has no `ready`.

        Raises:
            FinbackError: F703, that takes more than *timeout* seconds.

        """
        self.wait_until_succeeds(f"test -s /run/service/{name}/ready", timeout=timeout)

    def wait_for_console(self, text: str, timeout: float = SECONDS) -> None:
        """Wait until the console has shown *text*.

        Raises:
            FinbackError: F703, that takes more than *timeout* seconds.

        """
        self._wait(lambda: text in self.vm.console(), timeout, f"{text!r} on the console", lambda: "")

    def wait_for_port(self, guest: int, timeout: float = SECONDS) -> int:
        """Wait until something in the machine listens on the TCP port *guest*.

        Returns:
            The port of this machine that leads there, or 0 when it is not published.

        Raises:
            FinbackError: F703, that takes more than *timeout* seconds.

        """
        self.wait_until_succeeds(f"netstat -ltn | grep -q ':{guest} '", timeout=timeout)
        return next((f.host for f in self.vm.published() if f.guest == guest), 0)

    def http(self, guest: int, path: str = "/") -> tuple[int, bytes]:
        """Status and body of the answer to a GET on the published port *guest*.

        Raises:
            FinbackError: F705, there is no answer; F523, the port is not published.

        """
        found = probe.http("127.0.0.1", self.vm.port(guest), path, 10)
        if isinstance(found, str):
            raise error("F705", f"{self.name}: no answer on port {guest}: {found}", help="see its console and logs")
        return found

    def _wait(self, holds: Callable[[], bool], timeout: float, what: str, seen: Callable[[], str]) -> None:
        limit = clock.monotonic() + timeout
        while not holds():
            if not self.vm.alive:
                raise error("F704", f"{self.name} has ended", help=f"see {self.vm.folder / 'console.log'}")
            if clock.monotonic() >= limit:
                said = seen()
                raise error(
                    "F703",
                    f"{self.name}: waited {timeout:.0f} s for {what}{': ' + said if said else ''}",
                    help=f"see {self.vm.folder / 'console.log'}",
                )
            clock.sleep(INTERVAL)


def _unexpected(message: str, done: Result) -> FinbackError:
    said = _said(done)
    return error("F705", f"{message}{': ' + said if said else ''}", help="see the machine's console and logs")


def _said(done: Result | str) -> str:
    if isinstance(done, str):
        return done
    return (done.output + done.errors).decode("utf-8", "replace").strip()[-500:]


class Lab:
    """Machines on a network of their own, in the folder *folder*; stopped when the block ends.

    Raises:
        FinbackError: by its methods, when a build fails, a machine does not start, or something takes too long.

    """

    def __init__(self, folder: StrPath, accelerator: str = "auto", emit: Emit = silent) -> None:
        self.nodes: list[Node] = []
        self._folder = Path(folder).absolute()
        self._accelerator = accelerator
        self._workspace = Workspace(emit=emit)
        self._built: dict[Path, Path] = {}
        self._network = Network(name="lab", folder=self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(0 if kind is not None else None)

    def node(
        self,
        name: str,
        system: StrPath,
        *,
        memory: int = 512,
        ports: Sequence[int] = (),
        disks: Sequence[Disk] = (),
    ) -> Node:
        """Add the machine *name*, which runs *system*: a YAML file, which is built, or an image's name as of `run`.

        *ports* are published on free ports of this machine. *memory* is in MiB.
        """
        number = len(self.nodes) + 1
        vm = VM(
            image=self._image(system),
            state=self._folder / name,
            memory=memory,
            disks=tuple(disks),
            ports=tuple(Forward(host=0, guest=p) for p in ports),
            networks=(self._network,),
            accelerator=self._accelerator,
        )
        self.nodes.append(Node(name=name, vm=vm, address=f"{NETWORK}.{number}"))
        return self.nodes[-1]

    def _image(self, system: StrPath) -> Path:
        system = Path(system)
        if system.suffix not in (".yml", ".yaml"):
            return system
        system = system.absolute()
        if system not in self._built:
            place = self._folder / f"image{len(self._built)}"
            place.mkdir(parents=True, exist_ok=True)
            inputs = Inputs(files=(str(system),))
            building.build(inputs, Target(formats=("kernel+initrd",), folder=place), self._workspace)
            self._built[system] = place / inputs.output_name
        return self._built[system]

    def start(self, timeout: float = SECONDS) -> None:
        """Start all machines that do not run, and wait until each can be told commands and has its address."""
        waiting = [n for n in self.nodes if not n.vm.alive]
        with ThreadPoolExecutor(max_workers=max(1, len(waiting))) as pool:
            for done in [pool.submit(self._start, n, timeout) for n in waiting]:
                done.result()

    def _start(self, node: Node, timeout: float) -> None:
        node.vm.start()
        node.vm.wait_until_up(timeout)
        card = card_address(node.vm.address(), 1)
        words = ("/bin/sh", "-c", ADDRESS, "address", card, f"{node.address}/{LENGTH}")
        done = node.vm.execute(*words, timeout=timeout)
        if done.status != 0:
            raise _unexpected(f"{node.name} gets no address", done)

    def stop(self, timeout: float | None = None) -> None:
        """Stop all machines, each within *timeout* seconds; without one, as `VM.stop`."""
        with ThreadPoolExecutor(max_workers=max(1, len(self.nodes))) as pool:
            for done in [pool.submit(n.vm.stop, timeout) for n in self.nodes]:
                done.result()
