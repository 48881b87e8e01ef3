"""QEMU: direct boot of kernel and initrd on x86_64, aarch64, riscv64 and s390x; disks, by BIOS and UEFI.

Subset: what finback's guests use; no graphics. Needs QEMU 6.2 or later.

Source: QEMU's manual, "Invocation" and "System Emulation Guest Hardware".
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from finback.backends import Backend, Companion, Disk, Forward, Machine
from finback.ground.diagnostic import error
from finback.ground.platform import ARCHITECTURES
from finback.host.process import Command

# `sata` and `usb` off: probing for disks that are not there is a second of the boot.
# `gic-version=max`: the newest interrupt controller that the accelerator has; the default one stops at 8 processors.
MACHINES = {
    "amd64": "q35,sata=off,usb=off",
    "arm64": "virt,gic-version=max",
    "riscv64": "virt",
    "s390x": "s390-ccw-virtio",
}
# Emulated processors. `pauth-impdef`: the architecture's own pointer authentication halves the emulation's speed.
# `vx`: Linux adds up checksums with vectors, and QEMU 7.2 adds them up wrongly, so that every TCP segment is dropped.
PROCESSORS = {"amd64": "max", "arm64": "max,pauth-impdef=on", "riscv64": "rv64", "s390x": "max,vx=off,vxeh=off"}

QMP_SOCKET = "qmp.sock"
CONTROL_SOCKET = "control.sock"
EVENTS = "events.jsonl"
SESSIONS = 4
"""Commands that can run in a guest at a time."""
TERMINALS = 2
"""Commands among them that have a terminal."""
CONSOLE = "console.log"
PID = "pid"
RECORDER_PID, RELAY_PID = "recorder.pid", "relay.pid"
SWTPM, PASST = "swtpm", "passt"
PASST_SOCKET, PASST_PID = "passt.sock", "passt.pid"
TPM_SOCKET, TPM_PID, TPM_STATE = "tpm.sock", "tpm.pid", "tpm"
TPM_DEVICES = {"amd64": "tpm-crb", "arm64": "tpm-tis-device"}
EVENTS_SOCKET = "watch.sock"
MEMORY_NODE = "memory"


def program(architecture: str) -> str:
    """The QEMU for an architecture in OCI's words."""
    return f"qemu-system-{ARCHITECTURES[architecture].kernel}"


def terminal_socket(number: int) -> str:
    """The socket of a terminal in the guest, /dev/hvc and the number there."""
    return f"terminal{number}.sock"


def slot(number: int) -> str:
    """The bus that an added disk is attached to."""
    return f"slot{number}"


def session_socket(number: int) -> str:
    """The socket of a port that a command in the guest uses."""
    return f"shell{number}.sock"


def pipe(name: str) -> str:
    """The named pipe to what writes the file *name*."""
    return f"{name}.pipe"


def machine_command(machine: Machine) -> Command:
    """The command line, which depends on nothing but *machine*."""
    # Channel devices of mainframes have names of their own.
    bus = "ccw" if machine.architecture == "s390x" else "pci"
    native = machine.accelerator in ("kvm", "hvf")
    argv = [
        program(machine.architecture),
        "-name", _escaped(machine.name),
        "-machine", f"{MACHINES[machine.architecture]},accel={machine.accelerator}",
        "-cpu", "host" if native else PROCESSORS[machine.architecture],
        "-smp", str(machine.cpus),
        "-m", f"{machine.memory}M",
        # Also how finback knows its processes again.
        "-uuid", machine.uuid,
        *_start(machine, bus),
        *_sandbox(machine),
        # No devices but those below, and no settings of the user: each device costs the guest's kernel a probe.
        "-nodefaults", "-no-user-config", "-display", "none",
        # Written once QEMU has read its options, locked while it runs, removed when it ends.
        "-pidfile", str(machine.state / PID),
        # Entropy from the host's getrandom(2), so that nothing in the guest waits for it.
        "-device", f"virtio-rng-{bus}",
    ]  # fmt: skip
    if not machine.reboot:
        argv.append("-no-reboot")
    argv += _console(machine)
    argv += _channels(machine, bus)
    argv += _tpm(machine)
    argv += _network(machine, bus)
    for number, disk in enumerate(machine.disks):
        argv += _disk(number, replace(disk, bus=_kind(machine, disk.bus)), bus)
    for number, path in enumerate(machine.discs):
        argv += _disc(number, path, bus)
    argv += _prospects(machine)
    for name, path in machine.secrets:
        # Where systemd looks, too. The value is on no command line.
        argv += ["-fw_cfg", f"name=opt/io.systemd.credentials/{name},file={_escaped(str(path))}"]
    return Command(argv=tuple(argv))


def _sandbox(machine: Machine) -> list[str]:
    """System calls that QEMU gives up (seccomp), so that a guest that breaks into it has less to go on with."""
    if not machine.sandbox:
        return []
    rules = "on,obsolete=deny,resourcecontrol=deny"
    if not machine.networking.startswith("bridge,"):
        # A bridge is joined by a helper program, which is set-user-id.
        rules += ",elevateprivileges=deny,spawn=deny"
    return ["-sandbox", rules]


def _start(machine: Machine, bus: str) -> list[str]:
    """What is booted, and by what."""
    argv = []
    if machine.firmware is not None:
        code, variables = _escaped(str(machine.firmware.code)), _escaped(str(machine.firmware.variables))
        argv += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"]
        argv += ["-drive", f"if=pflash,unit=1,format=raw,file={variables}"]
    if machine.kernel is not None:
        argv += ["-kernel", str(machine.kernel)]
    if machine.initrd is not None:
        argv += ["-initrd", str(machine.initrd)]
    if machine.kernel is not None and machine.cmdline:
        argv += ["-append", machine.cmdline]
    if machine.boot is not None:
        drive = f"if=none,id=boot,format={machine.boot.format or 'raw'},snapshot=on"
        argv += ["-drive", f"{drive},file={_escaped(str(machine.boot.path))}"]
        # A kernel that is started directly has the first place already.
        first = "" if machine.kernel is not None else ",bootindex=0"
        argv += _attached("boot", _kind(machine, machine.boot.bus), bus, first)
    return argv


def _kind(machine: Machine, kind: str) -> str:
    # Arm's UEFI firmware has a driver for virtio-scsi and none for AHCI; a mainframe has no PCI controller of the kind.
    return "scsi-cdrom" if kind == "cdrom" and machine.architecture != "amd64" else kind


def _attached(name: str, kind: str, bus: str, options: str = "", serial: str = "") -> list[str]:
    """The device for the drive *name*; the guest sees that as its serial number, when it has no other."""
    drive = f"drive={name},serial={_escaped(serial or name)}{options}"
    return {
        "virtio": ["-device", f"virtio-blk-{bus},{drive}"],
        "nvme": ["-device", f"nvme,{drive}"],
        # A controller for each: that is simpler than counting ports, and there are few disks.
        "sata": ["-device", f"ich9-ahci,id={name}-bus", "-device", f"ide-hd,bus={name}-bus.0,{drive}"],
        "cdrom": ["-device", f"ich9-ahci,id={name}-bus", "-device", f"ide-cd,bus={name}-bus.0,{drive}"],
        "scsi": ["-device", f"virtio-scsi-{bus},id={name}-bus", "-device", f"scsi-hd,bus={name}-bus.0,{drive}"],
        "scsi-cdrom": ["-device", f"virtio-scsi-{bus},id={name}-bus", "-device", f"scsi-cd,bus={name}-bus.0,{drive}"],
    }[kind]


def _console(machine: Machine) -> list[str]:
    log = _escaped(str(machine.state / pipe(CONSOLE)))
    if not machine.foreground:
        return _serial(machine, f"file,id=console,path={log},append=on")
    # mux: the console and QEMU's monitor share the terminal, Ctrl-A C goes between them, Ctrl-A X leaves.
    # signal=off: Ctrl-C belongs to the guest.
    chardev = f"stdio,id=console,mux=on,signal=off,logfile={log},logappend=on"
    return [*_serial(machine, chardev), "-mon", "chardev=console,mode=readline"]


def _serial(machine: Machine, chardev: str) -> list[str]:
    # A mainframe's console is no serial port.
    device = ["-device", "sclpconsole,chardev=console"] if machine.architecture == "s390x" else []
    return ["-chardev", chardev, *(device or ["-serial", "chardev:console"])]


def _channels(machine: Machine, bus: str) -> list[str]:
    names = (QMP_SOCKET, CONTROL_SOCKET, EVENTS_SOCKET)
    qmp, control, watch = (_escaped(str(machine.sockets / name)) for name in names)
    return [
        # QEMU's own protocol. wait=off: the guest starts without anybody listening.
        "-chardev", f"socket,id=qmp,path={qmp},server=on,wait=off",
        "-mon", "chardev=qmp,mode=control",
        # The same for who listens to its events for a long time: a socket serves one at a time.
        "-chardev", f"socket,id=watch,path={watch},server=on,wait=off",
        "-mon", "chardev=watch,mode=control",
        "-device", f"virtio-serial-{bus}",
        # The guest's boot timeline, a JSON object a line.
        "-chardev", f"file,id=events,path={_escaped(str(machine.state / pipe(EVENTS)))},append=on",
        "-device", "virtserialport,chardev=events,name=finback.events",
        # What the host asks of the guest, a word a line.
        "-chardev", f"socket,id=control,path={control},server=on,wait=off",
        "-device", "virtserialport,chardev=control,name=finback.control",
        *(word for number in range(SESSIONS) for word in _session(machine, number)),
        *(word for number in range(TERMINALS) for word in _terminal(machine, number)),
    ]  # fmt: skip


def _session(machine: Machine, number: int) -> tuple[str, ...]:
    # What a command in the guest reads and writes.
    path = _escaped(str(machine.sockets / session_socket(number)))
    return (
        "-chardev", f"socket,id=shell{number},path={path},server=on,wait=off",
        "-device", f"virtserialport,chardev=shell{number},name=finback.shell{number}",
    )  # fmt: skip


def _terminal(machine: Machine, number: int) -> tuple[str, ...]:
    # To the guest a console, but not one that its kernel writes to.
    path = _escaped(str(machine.sockets / terminal_socket(number)))
    return (
        "-chardev", f"socket,id=terminal{number},path={path},server=on,wait=off",
        "-device", f"virtconsole,chardev=terminal{number},name=finback.terminal{number}",
    )  # fmt: skip


def _network(machine: Machine, bus: str) -> list[str]:
    cards = [word for n, path in enumerate(machine.switches, 1) for word in _card(n, path, machine, bus)]
    return [*_outer(machine, bus), *cards]


def _outer(machine: Machine, bus: str) -> list[str]:
    kind, _, name = machine.networking.partition(",")
    if kind == "none":
        return []
    netdev = {
        "user": _user(machine),
        "isolated": f"{_user(machine)},restrict=on",
        "passt": f"stream,id=net0,server=off,addr.type=unix,addr.path={_escaped(str(machine.sockets / PASST_SOCKET))}",
        # The interface is there and configured already: no scripts.
        "tap": f"tap,id=net0,ifname={_escaped(name)},script=no,downscript=no",
        # QEMU's setuid helper attaches it.
        "bridge": f"bridge,id=net0,br={_escaped(name)}",
    }[kind]
    # romfile empty: nothing boots from the network, and the ROM is a package of its own in most distributions.
    rom = "" if bus == "ccw" else ",romfile="
    return ["-netdev", netdev, "-device", f"virtio-net-{bus},netdev=net0,mac={machine.mac}{rom}"]


def _user(machine: Machine) -> str:
    guest = machine.guest
    network = ""
    if guest is not None:
        network = f",net={guest.network},host={guest.router},dns={guest.server},dhcpstart={guest.lease}"
    address = guest.address if guest is not None else ""
    return f"user,id=net0{network}" + "".join(f",hostfwd={_forward(f, address)}" for f in machine.forwards)


def card_address(mac: str, number: int) -> str:
    """The hardware address of a machine's card *number*, whose first one has *mac*: the third byte tells them apart."""
    parts = mac.split(":")
    return ":".join([*parts[:2], f"{number:02x}", *parts[3:]])


def _card(number: int, path: Path, machine: Machine, bus: str) -> list[str]:
    """A network card whose cable leads to a switch. Frames go with their length before them."""
    netdev = f"stream,id=net{number},server=off,addr.type=unix,addr.path={_escaped(str(path))}"
    rom = "" if bus == "ccw" else ",romfile="
    mac = card_address(machine.mac, number)
    return ["-netdev", netdev, "-device", f"virtio-net-{bus},netdev=net{number},mac={mac}{rom}"]


def _prospects(machine: Machine) -> list[str]:
    """What later commands need: places for disks, and one for the content of memory."""
    argv = []
    if machine.architecture != "s390x":
        # The first bus of these machines takes nothing while they run.
        for number in range(machine.slots):
            argv += ["-device", f"pcie-root-port,id={slot(number)},chassis={number + 1},slot={number + 1}"]
    if machine.memory_file is not None:
        path = _escaped(str(machine.memory_file))
        argv += ["-blockdev", f"driver=qcow2,node-name={MEMORY_NODE},file.driver=file,file.filename={path}"]
    return argv


def _forward(forward: Forward, address: str) -> str:
    where = f"127.0.0.1:{forward.relayed}" if forward.relayed else f"{forward.address}:{forward.host}"
    return f"{forward.protocol}:{where}-{address}:{forward.guest}"


def _tpm(machine: Machine) -> list[str]:
    if not machine.tpm:
        return []
    device = TPM_DEVICES.get(machine.architecture)
    if device is None:
        known = ", ".join(TPM_DEVICES)
        raise error(
            "F550", f"QEMU has no TPM for {machine.architecture}", help=f"leave out --tpm; there is one for {known}"
        )
    socket = _escaped(str(machine.sockets / TPM_SOCKET))
    return [
        "-chardev", f"socket,id=tpm,path={socket}",
        "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", f"{device},tpmdev=tpm0",
    ]  # fmt: skip


def _companions(machine: Machine) -> tuple[Companion, ...]:
    out = [_recorder(machine)]
    rules = [f"{f.address}/{f.host}/{f.relayed}" for f in machine.forwards if f.relayed]
    if rules:
        # Watches the recorder, which is started before it and ends with the machine.
        word = str(machine.state)
        argv = (sys.executable, "-m", "finback.host.relay", word, RELAY_PID, RECORDER_PID, *rules)
        out.append(Companion(command=Command(argv=argv), pid=machine.state / RELAY_PID, word=word, state=machine.state))
    if machine.tpm:
        out.append(_swtpm(machine))
    if machine.networking == PASST:
        out.append(_passt(machine))
    return tuple(out)


def _recorder(machine: Machine) -> Companion:
    """Keeps console and events, which come through pipes, in files of bounded length."""
    word = str(machine.state)
    argv = (sys.executable, "-m", "finback.host.recorder", word, RECORDER_PID, CONSOLE, EVENTS)
    return Companion(command=Command(argv=argv), pid=machine.state / RECORDER_PID, word=word, state=machine.state)


def _swtpm(machine: Machine) -> Companion:
    pid, state = machine.state / TPM_PID, machine.state / TPM_STATE
    word = f"file={pid}"
    argv = (
        SWTPM, "socket", "--tpm2", "--tpmstate", f"dir={state},mode=0600",
        "--ctrl", f"type=unixio,path={machine.sockets / TPM_SOCKET},mode=0600",
        # It ends when QEMU does, however that comes about.
        "--terminate", "--daemon", "--pid", word,
    )  # fmt: skip
    return Companion(command=Command(argv=argv), pid=pid, word=word, state=state)


def _passt(machine: Machine) -> Companion:
    """The guest gets this machine's own addresses, and no network address translation."""
    pid, word = machine.state / PASST_PID, str(machine.sockets / PASST_SOCKET)
    ports = [
        text
        for f in machine.forwards
        for text in ("-t" if f.protocol == "tcp" else "-u", f"{f.address}/{f.host}:{f.guest}")
    ]
    # It goes into the background when it is ready, and ends with its one connection.
    options = ["--runas", "0"] if machine.root else []
    if not machine.host_loopback:
        options.append("--no-map-gw")
        if machine.resolver:
            options += ["--dns", machine.resolver, "--dns-forward", machine.resolver]
    if machine.guest is not None:
        guest = machine.guest
        options += ["--address", guest.address, "--netmask", str(guest.length), "--gateway", guest.router]
    argv = (PASST, "--one-off", "--quiet", *options, "--socket", word, "--pid", str(pid), *ports)
    return Companion(command=Command(argv=argv), pid=pid, word=word, state=machine.state)


def _disk(number: int, disk: Disk, bus: str) -> list[str]:
    # discard=unmap: what the guest frees is free in the file. The serial is /dev/disk/by-id/virtio-diskN in the guest.
    drive = f"if=none,id=disk{number},format={disk.format or 'raw'},discard=unmap,file={_escaped(str(disk.path))}"
    return ["-drive", drive, *_attached(f"disk{number}", disk.bus, bus, serial=disk.serial)]


def _disc(number: int, path: Path, bus: str) -> list[str]:
    # A CD-ROM's content on a virtio disk: guests find it by its label, and need no SCSI or SATA driver for it.
    drive = f"if=none,id=disc{number},readonly=on,format=raw,file={_escaped(str(path))}"
    return ["-drive", drive, "-device", f"virtio-blk-{bus},drive=disc{number},serial=disc{number}"]


def _escaped(text: str) -> str:
    """QEMU's options are parted by commas; a comma in a value is doubled."""
    return text.replace(",", ",,")


def _programs(machine: Machine) -> tuple[str, ...]:
    return (program(machine.architecture), *(c.command.argv[0] for c in _companions(machine)))


BACKEND = Backend(command=machine_command, programs=_programs, companions=_companions)
