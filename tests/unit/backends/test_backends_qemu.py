from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from finback.backends import BACKENDS, Disk, Firmware, Forward, GuestAddress, Machine
from finback.ground.diagnostic import FinbackError
from finback.ground.platform import ARCHITECTURES

DISK = {"kernel": None, "initrd": None, "boot": Disk(path=Path("/d,1.vhd"), format="vpc")}

GUEST = GuestAddress(
    address="192.0.2.20", network="192.0.2.0/24", length=24, router="192.0.2.1", server="192.0.2.2", lease="192.0.2.3"
)


def machine(**changes: Any) -> Machine:
    values: dict[str, Any] = {
        "name": "web", "architecture": "amd64", "kernel": Path("/k"), "initrd": Path("/i"), "cmdline": "console=ttyS0",
        "mac": "52:54:00:01:02:03", "uuid": "u", "state": Path("/s"), "sockets": Path("/r"),
    }  # fmt: skip
    return Machine(**{**values, **changes})


def argv(**changes: Any) -> str:
    return " ".join(BACKENDS.get("qemu").command(machine(**changes)).argv)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "-kernel /k -initrd /i -append console=ttyS0 -sandbox "),
        ({}, "qemu-system-x86_64 -name web -machine q35,sata=off,usb=off,accel=tcg -cpu max -smp 1 -m 1024M -uuid u "),
        ({"architecture": "arm64"}, "qemu-system-aarch64 -name web -machine virt,gic-version=max,accel=tcg -cpu max,"),
        ({"architecture": "riscv64"}, "qemu-system-riscv64 -name web -machine virt,accel=tcg -cpu rv64 "),
        (
            {"architecture": "s390x"},
            "qemu-system-s390x -name web -machine s390-ccw-virtio,accel=tcg -cpu max,vx=off,vxeh=off ",
        ),
        ({"architecture": "s390x"}, "-device virtio-net-ccw,netdev=net0,mac=52:54:00:01:02:03"),
        ({"architecture": "s390x"}, "-device sclpconsole,chardev=console"),
        ({"accelerator": "kvm"}, "accel=kvm -cpu host"),
        ({"accelerator": "hvf", "architecture": "arm64"}, "accel=hvf -cpu host"),
        ({"cpus": 3, "memory": 128}, "-smp 3 -m 128M"),
        ({}, "-pidfile /s/pid"),
        ({"forwards": (Forward(host=8080, guest=80),)}, "user,id=net0,hostfwd=tcp:127.0.0.1:8080-:80 -device"),
        (
            {"forwards": (Forward(host=53, guest=5353, protocol="udp", address="0.0.0.0"),)},
            "user,id=net0,hostfwd=udp:0.0.0.0:53-:5353 ",
        ),
        ({}, "-device virtio-net-pci,netdev=net0,mac=52:54:00:01:02:03,romfile="),
        ({}, "-sandbox on,obsolete=deny,resourcecontrol=deny,elevateprivileges=deny,spawn=deny -nodefaults"),
        ({"networking": "bridge,br0"}, "-sandbox on,obsolete=deny,resourcecontrol=deny -nodefaults"),
        ({"sandbox": False}, "-append console=ttyS0 -nodefaults"),
        (
            {"networking": "isolated", "forwards": (Forward(host=8080, guest=80),)},
            "user,id=net0,hostfwd=tcp:127.0.0.1:8080-:80,restrict=on -device",
        ),
        (
            {"guest": GUEST, "forwards": (Forward(host=8080, guest=80),)},
            (
                "user,id=net0,net=192.0.2.0/24,host=192.0.2.1,dns=192.0.2.2,dhcpstart=192.0.2.3,"
                "hostfwd=tcp:127.0.0.1:8080-192.0.2.20:80 "
            ),
        ),
        ({"networking": "tap,tap3"}, "tap,id=net0,ifname=tap3,script=no,downscript=no"),
        ({"networking": "bridge,br0"}, "bridge,id=net0,br=br0"),
        (
            {"disks": (Disk(path=Path("/d,1")),)},
            "format=raw,discard=unmap,file=/d,,1 -device virtio-blk-pci,drive=disk0",
        ),
        ({"disks": (Disk(path=Path("/a")), Disk(path=Path("/b"), format="qcow2"))}, "id=disk1,format=qcow2,"),
        ({"discs": (Path("/c.iso"),)}, "if=none,id=disc0,readonly=on,format=raw,file=/c.iso"),
        ({"foreground": True}, "stdio,id=console,mux=on,signal=off,logfile=/s/console.log.pipe,logappend=on"),
        (
            {"switches": (Path("/a"), Path("/b,c")), "networking": "none"},
            "addr.type=unix,addr.path=/b,,c -device virtio-net-pci,netdev=net2,mac=52:54:02:01:02:03",
        ),
        ({"slots": 2}, "-device pcie-root-port,id=slot1,chassis=2,slot=2"),
        ({"memory_file": Path("/m")}, "-blockdev driver=qcow2,node-name=memory,file.driver=file,file.filename=/m"),
        ({"disks": (Disk(path=Path("/a"), serial="x,y"),)}, "drive=disk0,serial=x,,y"),
        ({"foreground": False}, "-chardev file,id=console,path=/s/console.log.pipe,append=on -serial chardev:console"),
        (
            {},
            "path=/s/events.jsonl.pipe,append=on -device virtserialport,chardev=events,name=finback.events",
        ),
        ({}, "socket,id=control,path=/r/control.sock,server=on,wait=off -device virtserialport,chardev=control,"),
        ({}, "socket,id=qmp,path=/r/qmp.sock,server=on,wait=off -mon chardev=qmp,mode=control"),
        ({"reboot": False}, "-no-reboot"),
        ({"tpm": True}, "socket,id=tpm,path=/r/tpm.sock -tpmdev emulator,id=tpm0,chardev=tpm -device tpm-crb,tpmdev="),
        ({"tpm": True, "architecture": "arm64"}, "-device tpm-tis-device,tpmdev=tpm0"),
        ({**DISK}, "format=vpc,snapshot=on,file=/d,,1.vhd -device virtio-blk-pci,drive=boot,serial=boot,bootindex=0 "),
        ({**DISK}, "-uuid u -drive if=none,id=boot,"),
        (
            {**DISK, "firmware": Firmware(code=Path("/c,d"), variables=Path("/v"), template=Path("/t"))},
            "if=pflash,unit=0,format=raw,readonly=on,file=/c,,d -drive if=pflash,unit=1,format=raw,file=/v -drive ",
        ),
        ({"disks": (Disk(path=Path("/a"), bus="nvme"),)}, "file=/a -device nvme,drive=disk0,serial=disk0"),
        (
            {"disks": (Disk(path=Path("/a"), bus="sata"),)},
            "-device ich9-ahci,id=disk0-bus -device ide-hd,bus=disk0-bus.0,drive=disk0,serial=disk0",
        ),
        (
            {"disks": (Disk(path=Path("/a"), bus="cdrom"),)},
            "-device ich9-ahci,id=disk0-bus -device ide-cd,bus=disk0-bus.0,drive=disk0,serial=disk0",
        ),
        (
            {"disks": (Disk(path=Path("/a"), bus="cdrom"),), "architecture": "arm64"},
            "-device virtio-scsi-pci,id=disk0-bus -device scsi-cd,bus=disk0-bus.0,drive=disk0,serial=disk0",
        ),
        (
            {"disks": (Disk(path=Path("/a"), bus="scsi"),)},
            "-device virtio-scsi-pci,id=disk0-bus -device scsi-hd,bus=disk0-bus.0,drive=disk0,serial=disk0",
        ),
        (
            {"secrets": (("token", Path("/a,b")),)},
            "-fw_cfg name=opt/io.systemd.credentials/token,file=/a,,b",
        ),
        ({"state": Path("/a,b")}, "-pidfile /a,b/pid"),
        ({"state": Path("/a,b")}, "path=/a,,b/events.jsonl.pipe"),
    ],
)
def test_the_command_line(changes: dict[str, Any], expected: str) -> None:
    assert expected in argv(**changes)


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({"networking": "none"}, "net"),
        ({"architecture": "s390x"}, "-pci"),
        ({"architecture": "s390x", "slots": 3}, "slot"),
        ({"architecture": "s390x"}, "-serial chardev"),
        ({"foreground": False}, "mux"),
        ({}, "-no-reboot"),
    ],
)
def test_what_the_command_line_leaves_out(changes: dict[str, Any], absent: str) -> None:
    assert absent not in argv(**changes)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
@pytest.mark.parametrize("foreground", [True, False])
def test_every_chardev_and_drive_is_made_once_and_used(architecture: str, foreground: bool) -> None:
    text = argv(architecture=architecture, foreground=foreground, disks=(Disk(path=Path("/d")),), discs=(Path("/c"),),
                switches=(Path("/w"),))  # fmt: skip
    made = re.findall(r"\bid=(\w+)", text)
    used = set(re.findall(r"(?:chardev[=:]|drive=|netdev=)(\w+)", text))
    assert sorted(made) == sorted(used)
    assert BACKENDS.get("qemu").programs(machine(architecture=architecture)) == (text.split()[0], sys.executable)


def test_a_tpm_runs_beside_the_machine_and_ends_with_it() -> None:
    qemu = BACKENDS.get("qemu")
    assert qemu.programs(machine()) == ("qemu-system-x86_64", sys.executable)
    _, found = qemu.companions(machine(tpm=True))
    assert found is not None
    assert "--terminate" in found.command.argv
    assert found.word in found.command.argv
    assert qemu.programs(machine(tpm=True)) == ("qemu-system-x86_64", sys.executable, "swtpm")


def test_there_is_no_tpm_for_every_architecture() -> None:
    with pytest.raises(FinbackError, match="no TPM for s390x"):
        argv(tpm=True, architecture="s390x")


def test_passt_runs_beside_the_machine_and_publishes_its_ports() -> None:
    forwards = (Forward(host=8080, guest=80), Forward(host=53, guest=5353, protocol="udp", address="0.0.0.0"))
    made = machine(networking="passt", forwards=forwards)
    qemu = BACKENDS.get("qemu")
    _, found = qemu.companions(made)
    text = " ".join(found.command.argv)
    assert text.endswith("--socket /r/passt.sock --pid /s/passt.pid -t 127.0.0.1/8080:80 -u 0.0.0.0/53:5353")
    assert found.word in found.command.argv
    assert "--runas" not in text
    assert "stream,id=net0,server=off,addr.type=unix,addr.path=/r/passt.sock " in " ".join(qemu.command(made).argv)
    assert qemu.programs(made) == ("qemu-system-x86_64", sys.executable, "passt")
    assert "--runas 0" in " ".join(qemu.companions(machine(networking="passt", root=True))[1].command.argv)


@pytest.mark.parametrize(
    ("changes", "there", "missing"),
    [
        ({}, "--quiet --no-map-gw --socket", "--dns"),
        ({"host_loopback": True}, "--quiet --socket", "--no-map-gw"),
        ({"resolver": "169.254.1.53"}, "--no-map-gw --dns 169.254.1.53 --dns-forward 169.254.1.53 --socket", "-a"),
        ({"guest": GUEST}, "--address 192.0.2.20 --netmask 24 --gateway 192.0.2.1 --socket", "--dns"),
    ],
)
def test_passt_leads_to_this_machines_loopback_only_when_asked(
    changes: dict[str, Any], there: str, missing: str
) -> None:
    text = " ".join(BACKENDS.get("qemu").companions(machine(networking="passt", **changes))[1].command.argv)
    assert there in text
    assert missing not in text
