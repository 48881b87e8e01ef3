from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from finback.app.machine import control, session
from finback.app.machine import running as machines
from finback.app.machine.running import Running
from finback.app.machine.session import Request, Sink
from finback.ground.diagnostic import FinbackError
from finback.host import clock, qmp
from finback.vm import (
    VM,
    Disk,
    Ended,
    Event,
    Forward,
    Lab,
    Network,
    Node,
    Paused,
    Removed,
    Reported,
    Restarted,
    Resumed,
)
from finback.vm.event import _event, events

UUID = "00000000-0000-4000-8000-00000000beef"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", UUID])
    (tmp_path / "pid").write_text(str(process.pid))
    found = Running(name="m", uuid=UUID, started=clock.now(), state=tmp_path, sockets=tmp_path)
    machines.remember(found)
    yield found
    process.kill()
    process.wait()


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "r"))


def code(caught: pytest.ExceptionInfo[FinbackError]) -> str:
    return caught.value.diagnostics[0].code


class Guest:
    """What commands in a guest come to, one after the other."""

    def __init__(self, *ends: tuple[int, bytes] | FinbackError) -> None:
        self.ends, self.asked = list(ends), list[Request]()

    def execute(self, _: Running, request: Request, output: Sink, errors: Sink) -> int:
        self.asked.append(request)
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]
        if isinstance(end, FinbackError):
            raise end
        output(end[1])
        errors(b"")
        return end[0]


def test_a_machine_is_found_again_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr("finback.app.machine.start.start", lambda request, _: started.append(request))
    made = VM(
        image=Path("/i/web"), state=tmp_path / "m", memory=64,
        disks=(Disk(size=1 << 20, serial="x"), Disk(path=Path("/d"))),
        ports=(Forward(host=8080, guest=80), Forward(host=0, guest=22)), data=b"\xff\0",
    )  # fmt: skip
    with pytest.raises(FinbackError) as caught:
        VM.attach(tmp_path / "m")
    assert code(caught) == "F527"
    (tmp_path / "m").mkdir()
    machines.remember(Running(name="web", uuid=UUID, started=0, state=made.state, sockets=made.state))
    made.start()
    assert VM.attach(tmp_path / "m") == made
    request = started[0]
    # A disk of its own keeps snapshots; one that was given stays what it is.
    assert [d.format for d in request.disks] == ["qcow2", ""]
    assert request.forwards[0].host == 8080
    assert request.forwards[1].host > 1023
    assert (request.slots, request.snapshots, request.prefix) == (4, True, Path("/i/web"))
    (tmp_path / "m/vm.json").write_text(json.dumps({"image": "/i", "disks": 3}))
    with pytest.raises(FinbackError):
        VM.attach(tmp_path / "m")


def test_what_has_ended_can_be_asked_little(tmp_path: Path) -> None:
    vm = VM(image=Path("x"), state=tmp_path)
    assert (vm.alive, vm.status, vm.pid, vm.stop(), vm.console()) == (False, "ended", 0, "gone", "")
    for act in (vm.pause, vm.resume, vm.kill, vm.services, lambda: vm.snapshot("a"), lambda: vm.publish(1)):
        with pytest.raises(FinbackError) as caught:
            act()
        assert code(caught) == "F527"


def test_events_are_reports_and_what_qemu_does(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def listen(_: Path, heard: Callable[[str, Mapping[str, object]], None], ended: Callable[[], bool]) -> None:
        heard("STOP", {})
        heard("RESUME", {})
        heard("BLOCK_WRITE_THRESHOLD", {})
        heard("DEVICE_DELETED", {"path": "/x"})
        heard("DEVICE_DELETED", {"device": "added0", "path": "/x"})
        heard("SHUTDOWN", {"guest": True, "reason": "guest-shutdown"})
        while not ended():
            time.sleep(0.01)

    monkeypatch.setattr(qmp, "listen", listen)
    report = {"uptime": 1.5, "stage": "service", "name": "w", "event": "up", "status": 0}
    (running.state / "events.jsonl").write_text(json.dumps(report) + "\n")
    threading.Timer(1, machines.cut, (running,)).start()
    came: list[Event] = list(events(running, 30))
    kinds = [type(e) for e in came]
    assert kinds == [Reported, Paused, Resumed, Removed, Ended]
    assert isinstance(came[0], Reported)
    assert came[0].report.name == "w"
    assert isinstance(came[-1], Ended)
    assert came[-1].reason == "guest-shutdown"
    assert isinstance(_event("RESET", {}, 1), Restarted)


def test_the_console_comes_line_by_line(running: Running) -> None:
    vm = VM(image=Path("x"), state=running.state)
    lines: list[str] = []
    end = vm.on_console(lines.append)
    with (running.state / "console.log").open("ab", buffering=0) as console:
        console.write(b"one\r\ntw")
        time.sleep(0.5)
        assert lines == ["one"]
        console.write(b"o\nthree")
    end()
    assert lines == ["one", "two"]


def test_commands_of_a_node(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finback.vm.lab.INTERVAL", 0.01)
    guest = Guest((0, b"yes\n"), (3, b"no\n"), (3, b"no\n"), (0, b"yes\n"))
    monkeypatch.setattr(session, "execute", guest.execute)
    node = Node(name="a", vm=VM(image=Path("x"), state=running.state), address="192.168.77.1")
    assert node.succeed("x") == "yes\n"
    with pytest.raises(FinbackError) as caught:
        node.succeed("x", service="w")
    assert code(caught) == "F705"
    assert "a: 'x' ends with status 3: no" in str(caught.value)
    assert node.fail("x") == "no\n"
    with pytest.raises(FinbackError):
        node.fail("x")
    assert (guest.asked[1].words, guest.asked[1].service) == (("/bin/sh", "-c", "x"), "w")
    monkeypatch.setattr(session, "execute", Guest((1, b""), (1, b""), (0, b"at last")).execute)
    assert node.wait_until_succeeds("x") == "at last"
    monkeypatch.setattr(session, "execute", Guest((1, b"still not")).execute)
    with pytest.raises(FinbackError) as caught:
        node.wait_until_succeeds("x", timeout=0.2)
    assert code(caught) == "F703"
    assert "still not" in str(caught.value)
    with pytest.raises(FinbackError) as caught:
        node.wait_for_console("x", timeout=0.2)
    assert code(caught) == "F703"
    machines.cut(running)
    with pytest.raises(FinbackError) as caught:
        node.wait_until_succeeds("x", timeout=100)
    assert code(caught) == "F704"


def test_what_does_not_become_ready_is_named(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    from finback.ground.diagnostic import error

    monkeypatch.setattr(machines, "listens", lambda _: True)
    monkeypatch.setattr(session, "execute", Guest(error("F547", "late", help="")).execute)
    report = {"uptime": 1.5, "stage": "service", "name": "w", "event": "started", "status": 0}
    (running.state / "events.jsonl").write_text(json.dumps(report) + "\n")
    with pytest.raises(FinbackError) as caught:
        VM(image=Path("x"), state=running.state).wait_until_ready(2)
    assert code(caught) == "F703"
    assert "w is started" in str(caught.value)


class Monitor:
    """Stands for QEMU: answers by command; what was said to it."""

    def __init__(self, answers: Mapping[str, object]) -> None:
        self.answers, self.said = answers, list[str]()

    def execute(self, command: str, arguments: Mapping[str, object] | None = None) -> object:
        self.said.append(command if arguments is None else f"{command} {json.dumps(arguments)}")
        return self.answers.get(command, {})

    def job(self, command: str, arguments: Mapping[str, object], identity: str) -> None:
        self.said.append(f"{command} {json.dumps(arguments)} {identity}")

    def wait(self, _: float) -> None:
        pass


@pytest.fixture
def qemu(monkeypatch: pytest.MonkeyPatch) -> Monitor:
    from contextlib import contextmanager

    nodes = [{"node-name": n} for n in ("memory", "added0")]
    disk = {"ro": False, "drv": "qcow2", "node-name": "#block1", "image": {"filename": "/d"}}
    made = Monitor(
        {
            "query-named-block-nodes": nodes,
            "qom-list": [{"name": "slot1"}],
            "query-status": {"running": True},
            "query-block": [{"inserted": disk}, {"inserted": {**disk, "ro": True, "drv": "raw"}}, {}],
            "human-monitor-command": "",
        }
    )

    @contextmanager
    def monitor(*_: object) -> Iterator[Monitor]:
        yield made

    monkeypatch.setattr(qmp, "monitor", monitor)
    return made


def test_a_disk_is_added_in_the_first_free_place(running: Running, qemu: Monitor) -> None:
    assert control.add_disk(running, Disk(size=1 << 20), 2) == "added1"
    assert (running.state / "added1.img").stat().st_size == 1 << 20
    assert '"bus": "slot1"' in qemu.said[-1]
    with pytest.raises(FinbackError) as caught:
        control.add_disk(running, Disk(size=1 << 20), 1)
    assert code(caught) == "F540"


def test_a_snapshot_has_all_disks_and_the_reports_so_far(running: Running, qemu: Monitor) -> None:
    path = running.state / "events.jsonl"
    path.write_text("abc\n")
    control.snapshot(running, "one")
    assert [s.split()[0] for s in qemu.said if not s.startswith("query")] == ["stop", "snapshot-save", "cont"]
    assert '"devices": ["memory", "#block1"]' in next(s for s in qemu.said if s.startswith("snapshot-save"))
    path.write_text("abc\ndef\n")
    control.revert(running, "one")
    assert path.read_text() == "abc\n"
    with pytest.raises(FinbackError) as caught:
        control.revert(running, "two")
    assert code(caught) == "F541"
    qemu.answers["query-block"][0]["inserted"]["drv"] = "raw"  # type: ignore[index]
    with pytest.raises(FinbackError) as caught:
        control.snapshot(running, "one")
    assert "/d can't keep snapshots" in str(caught.value)
    # It goes on whatever happens.
    assert qemu.said[-1] == "cont"


def test_ports_come_and_go(running: Running, qemu: Monitor) -> None:
    vm = VM(image=Path("x"), state=running.state)
    port = vm.publish(80)
    assert f"hostfwd_add net0 tcp:127.0.0.1:{port}-:80" in qemu.said[-1]
    assert (vm.port(80), [f.guest for f in vm.published()]) == (port, [80])
    control.withdraw(machines.find("", running.state), vm.published()[0])
    assert vm.published() == ()
    with pytest.raises(FinbackError):
        vm.port(80)
    qemu.answers = {**qemu.answers, "human-monitor-command": "could not set up host forwarding rule"}
    with pytest.raises(FinbackError) as caught:
        vm.publish(80)
    assert code(caught) == "F546"
    assert vm.published() == ()


def test_a_network_has_a_short_path_of_its_own(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["x" * 60] * 3)
    paths = {Network(name=n, folder=f).socket for n in "ab" for f in (None, deep, tmp_path)}
    assert len(paths) == 6
    assert all(p.parent == tmp_path / "r/finback" for p in paths)


def test_nodes_of_a_lab_have_addresses_in_their_order(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    one, two = (lab.node(name, Path("/image"), ports=[80]) for name in ("one", "two"))
    assert (one.address, two.address) == ("192.168.77.1", "192.168.77.2")
    assert one.vm.networks == two.vm.networks
    assert one.vm.state == tmp_path / "one"
    assert one.vm.ports == (Forward(host=0, guest=80),)
    lab.stop()


def test_paths_may_be_strings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    vm = VM(image="web", state="m", disks=(Disk(path="d.img"),), networks=(Network(name="n", folder="f"),))
    assert vm == VM(
        image=Path("web"),
        state=Path("m"),
        disks=(Disk(path=Path("d.img")),),
        networks=(Network(name="n", folder=Path("f")),),
    )
    assert vm.folder == tmp_path / "m"
    assert vm.networks[0].socket == Network(name="n", folder=tmp_path / "f").socket
    assert vm._request().prefix == Path("web")
    assert not vm.alive
    for state in ("m", tmp_path / "m"):
        with pytest.raises(FinbackError) as caught:
            VM.attach(state)
        assert code(caught) == "F527"
    system = tmp_path / "image"
    for folder, image in ((str(tmp_path), str(system)), (tmp_path, system)):
        node = Lab(folder).node("one", image)
        assert node.vm.folder == tmp_path / "one"
        assert node.vm.image == system
