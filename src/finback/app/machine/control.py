"""What a machine that runs can be told: to pause, to take a disk, to publish a port, to go back to an earlier state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from finback.app.machine import drive
from finback.app.machine import running as machines
from finback.app.machine.running import Running, must_run
from finback.backends import Disk, Forward
from finback.backends.qemu import EVENTS, MEMORY_NODE, QMP_SOCKET, slot
from finback.codec import strict_json
from finback.ground.diagnostic import FinbackError, error
from finback.host import file, folder, journal, port, qmp
from finback.host.qmp import Monitor

SECONDS = 20.0
# The content of memory is written to a file, or read.
SNAPSHOT_SECONDS = 300.0
SNAPSHOTS = "snapshots.json"
RECORD_LIMIT = 1 << 20


def pause(machine: Running) -> None:
    """Let *machine* stand still: no processor of it runs.

    Raises:
        FinbackError: F527, it does not run; F546, QEMU refuses.

    """
    with _monitor(machine) as monitor:
        monitor.execute("stop")


def resume(machine: Running) -> None:
    """Let *machine* go on.

    Raises:
        FinbackError: as `pause`.

    """
    with _monitor(machine) as monitor:
        monitor.execute("cont")


def state(machine: Running) -> str:
    """QEMU's word for the state of *machine*: running, paused, ...; "" when it does not answer."""
    answer = qmp.execute(machine.sockets / QMP_SOCKET, "query-status", SECONDS)
    return str(answer["status"]) if isinstance(answer, dict) else ""


def add_disk(machine: Running, disk: Disk, slots: int) -> str:
    """Attach *disk* while *machine* runs, in one of its *slots*; the name by which it is removed again.

    Raises:
        FinbackError: F527 it does not run; F528 the disk can't be made; F546 QEMU refuses; F540 there is no slot left.

    """
    with _monitor(machine) as monitor:
        number = _free_slot(monitor, slots)
        name = f"added{number}"
        placed = replace(disk, path=disk.path or machine.state / f"{name}.img", format=disk.format or "raw")
        drive.make(placed)
        node = {"driver": placed.format, "node-name": name, "discard": "unmap"}
        monitor.execute("blockdev-add", {**node, "file": {"driver": "file", "filename": str(placed.path)}})
        try:
            device = {"driver": "virtio-blk", "id": name, "drive": name, "serial": disk.serial or name}
            # Mainframes need no place for it.
            place = {"bus": slot(number)} if slot(number) in _devices(monitor) else {}
            monitor.execute("device_add", {**device, **place})
        except FinbackError:
            monitor.execute("blockdev-del", {"node-name": name})
            raise
    return name


def _devices(monitor: Monitor) -> set[str]:
    return {d["name"] for d in monitor.execute("qom-list", {"path": "/machine/peripheral"})}


def _free_slot(monitor: Monitor, slots: int) -> int:
    taken = {n["node-name"] for n in monitor.execute("query-named-block-nodes")}
    for number in range(slots):
        if f"added{number}" not in taken:
            return number
    raise error("F540", f"all {slots} places for disks are taken", help="give the machine more `slots` when it starts")


def remove_disk(machine: Running, name: str) -> None:
    """Detach the disk *name* that `add_disk` has attached; the guest lets go of it first. Its file stays.

    Raises:
        FinbackError: F527, it does not run; F546, QEMU refuses, or the guest holds on to it.

    """
    with _monitor(machine) as monitor:
        monitor.execute("device_del", {"id": name})
        for _ in range(int(SECONDS / qmp.JOB_INTERVAL)):
            if name not in _devices(monitor):
                monitor.execute("blockdev-del", {"node-name": name})
                return
            monitor.wait(qmp.JOB_INTERVAL)
    raise error("F546", f"the guest does not let go of {name}", help="unmount it there first")


def publish(machine: Running, forward: Forward) -> Running:
    """Let a port of this machine lead to one of the guest, from now on; the machine with it.

    Raises:
        FinbackError: F523 the port can't be published; F527 it does not run; F546 QEMU refuses.

    """
    if ":" in forward.address:
        raise error("F523", "a machine that runs publishes on IPv4 addresses", help="publish it when it is started")
    reason = port.trouble(forward.address, forward.host, forward.protocol)
    if reason:
        raise error("F523", f"port {forward.host} can't be published: {reason}", help="publish on another port")
    where = f"{forward.protocol}:{forward.address}:{forward.host}"
    _human(machine, f"hostfwd_add net0 {where}-{machine.guest}:{forward.guest}")
    changed = replace(machine, forwards=(*machine.forwards, forward))
    machines.remember(changed)
    return changed


def withdraw(machine: Running, forward: Forward) -> Running:
    """Take a published port back; the machine without it.

    Raises:
        FinbackError: F527, it does not run; F546, QEMU refuses.

    """
    _human(machine, f"hostfwd_remove net0 {forward.protocol}:{forward.address}:{forward.host}")
    changed = replace(machine, forwards=tuple(f for f in machine.forwards if f != forward))
    machines.remember(changed)
    return changed


def _human(machine: Running, line: str) -> None:
    """A command that only QEMU's monitor for people has, which answers with text when something is wrong."""
    with _monitor(machine) as monitor:
        said = str(monitor.execute("human-monitor-command", {"command-line": line})).strip()
    if said and "removed" not in said:
        raise error(
            "F546", f"QEMU refuses {line.split(maxsplit=1)[0]}: {said}", help="it takes a machine with networking user"
        )


def snapshot(machine: Running, name: str) -> None:
    """Keep the present state of *machine*, memory and disks, under *name*. It stands still meanwhile.

    Raises:
        FinbackError: F527 it does not run; F546 QEMU refuses; F541 a disk is of a form that can't keep snapshots, or
            the machine was not started with `snapshots`.

    """
    with _standing(machine) as monitor:
        nodes = _nodes(monitor)
        monitor.job(
            "snapshot-save", {"tag": name, "vmstate": MEMORY_NODE, "devices": [MEMORY_NODE, *nodes]}, f"save-{name}"
        )
        known = snapshots(machine)
        known[name] = {"reports": machine.reported(), "nodes": nodes}
        _write(machine, known)


def revert(machine: Running, name: str) -> None:
    """Go back to the state that `snapshot` has kept under *name*. What was reported since is forgotten.

    Raises:
        FinbackError: F527 it does not run; F546 QEMU refuses; F541 there is no such snapshot, or a disk was added or
            removed since.

    """
    known = snapshots(machine).get(name)
    if known is None:
        names = ", ".join(snapshots(machine)) or "none"
        raise error("F541", f"there is no snapshot {name}", help=f"known: {names}")
    with _standing(machine) as monitor:
        nodes = _nodes(monitor)
        if set(nodes) != set(known["nodes"]):
            raise error("F541", f"since {name}, a disk was added or removed", help="remove it, or make a new snapshot")
        monitor.job(
            "snapshot-load", {"tag": name, "vmstate": MEMORY_NODE, "devices": [MEMORY_NODE, *nodes]}, f"load-{name}"
        )
        journal.cut(machine.state / EVENTS, int(known["reports"]))


def snapshots(machine: Running) -> dict[str, Any]:
    """What is known about the snapshots of *machine*, by name."""
    try:
        found = strict_json.plain(file.read(machine.state / SNAPSHOTS, limit=RECORD_LIMIT))
    except (FinbackError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(machine: Running, known: dict[str, Any]) -> None:
    with file.writing(machine.state / SNAPSHOTS) as out:
        out.write(json.dumps(known).encode())


def forget_snapshots(machine: Running) -> None:
    """Forget the snapshots of a machine that has ended: its memory is gone."""
    folder.sweep(machine.state, (SNAPSHOTS,))


def _nodes(monitor: Monitor) -> list[str]:
    """The disks that the guest can write to."""
    out = []
    nodes = [n["node-name"] for n in monitor.execute("query-named-block-nodes")]
    if MEMORY_NODE not in nodes:
        raise error("F541", "the machine keeps no snapshots", help="start it with `snapshots`")
    for device in monitor.execute("query-block"):
        inserted = device.get("inserted")
        if not inserted or inserted["ro"]:
            continue
        if inserted["drv"] != "qcow2":
            path = inserted["image"]["filename"]
            raise error("F541", f"{path} can't keep snapshots", help="make it a qcow2 image: format=qcow2")
        out.append(str(inserted["node-name"]))
    return out


@contextmanager
def _standing(machine: Running) -> Iterator[Monitor]:
    """A machine that stands still for a block, and goes on after it if it went on before."""
    with _monitor(machine, SNAPSHOT_SECONDS) as monitor:
        ran = monitor.execute("query-status")["running"]
        monitor.execute("stop")
        try:
            yield monitor
        finally:
            if ran:
                monitor.execute("cont")


@contextmanager
def _monitor(machine: Running, timeout: float = SECONDS) -> Iterator[Monitor]:
    must_run(machine)
    with qmp.monitor(machine.sockets / QMP_SOCKET, timeout) as monitor:
        yield monitor
