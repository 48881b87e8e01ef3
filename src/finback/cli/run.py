"""Run a built image in QEMU."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finback.cli import _streams
from finback.cli.options import open_workspace

if TYPE_CHECKING:
    from finback.app.machine.running import Running
    from finback.app.machine.start import Request
    from finback.backends import GuestAddress

DATA_LIMIT = 16 << 20


# That of the family F7: a machine did not do what it should.
FAILED = 6


@click.command("run")
@click.argument("prefix", metavar="NAME", type=click.Path(path_type=Path))
@click.option(
    "--firmware",
    type=click.Choice(["auto", "bios", "uefi"]),
    default="auto",
    show_default=True,
    help="What boots a disk; auto: UEFI for NAME-efi and where there is no BIOS.",
)
@click.option(
    "--bus",
    type=click.Choice(["virtio", "sata", "nvme", "scsi", "cdrom"]),
    help="What the disk that is booted is attached to. Default: virtio, for NAME.iso cdrom.",
)
@click.option("--mem", "memory", type=click.IntRange(16), default=1024, show_default=True, help="Memory in MiB.")
@click.option("--cpus", type=click.IntRange(1), default=1, show_default=True, help="Processors.")
@click.option("--arch", metavar="ARCH", help="Architecture of the image. Default: the kernel's.")
@click.option(
    "--publish",
    multiple=True,
    metavar="[[ADDRESS:]HOST[-LAST]:]GUEST[-LAST][/tcp|udp]",
    help="Let a port of this machine lead to one of the guest; ADDRESS is 127.0.0.1 by default, [::1] "
    "and other IPv6 addresses are in brackets. Repeatable.",
)
@click.option(
    "--disk",
    multiple=True,
    metavar="[file=]PATH[,size=N[M|G]][,format=raw|qcow2][,bus=virtio|sata|scsi|nvme][,serial=TEXT]",
    help="Add a disk; one that is not there is made, N in GiB without a unit. Repeatable.",
)
@click.option("--tpm", is_flag=True, help="Add a TPM 2.0, which remembers what it is given (needs swtpm).")
@click.option(
    "--networking",
    default="user",
    show_default=True,
    metavar="user|passt|isolated|none|tap,INTERFACE|bridge,BRIDGE",
    help="How the guest reaches a network. isolated: published ports lead in, nothing leads out.",
)
@click.option(
    "--host-loopback",
    is_flag=True,
    help="The guest may reach what listens on this machine's loopback. With user it always can.",
)
@click.option(
    "--guest-address",
    metavar="ADDRESS/LENGTH[,ROUTER]",
    help="The address that the guest gives itself. Default: what the `network` of NAME.yml says, else by DHCP.",
)
@click.option("--data", metavar="TEXT", help="Metadata for the guest, on a disc labelled config.")
@click.option("--data-file", type=click.Path(path_type=Path), help="File with metadata for the guest.")
@click.option(
    "--secret",
    multiple=True,
    metavar="NAME=FILE",
    help="Give the guest a secret: what FILE holds, by fw_cfg. Repeatable.",
)
@click.option(
    "--accel",
    type=click.Choice(["auto", "kvm", "hvf", "tcg"]),
    default="auto",
    show_default=True,
    help="How QEMU runs the guest's instructions; tcg is software emulation.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Folder for logs, sockets and the machine's identity. Default: $XDG_STATE_HOME/finback/machines/NAME.",
)
@click.option("-d", "--detach", "--detached", "detach", is_flag=True, help="Run in the background.")
@click.option("--no-sandbox", is_flag=True, help="Let QEMU use all system calls, where it was built without seccomp.")
@click.option("--no-reboot", is_flag=True, help="Let a restart of the guest end the machine.")
@click.option("--timeline", is_flag=True, help="Print the boot timeline when the machine has ended.")
@click.option("--dry-run", is_flag=True, help="Print QEMU's command and stop.")
@click.pass_context
def COMMAND(ctx: click.Context, /, **given: Any) -> None:  # noqa: N802
    """Boot NAME-kernel and NAME-initrd.img, as `build` has written them, or NAME when it is a disk or a unified image.

    Where there is no NAME-initrd.img, the kernel mounts NAME-squashfs.img or NAME-erofs.img as its root; NAME may be
    such a file, too.

    The disk stays as it is: what the guest writes to it is gone when it ends.

    The console is this terminal; Ctrl-A X leaves. With --detach it is a file in the state folder. Exit status: 6 when
    the boot failed, though the guest may have powered off in order; else QEMU's.
    """
    from finback.app.machine import start as run

    if given["timeline"] and given["detach"]:
        raise click.UsageError("a timeline is printed at the end; with --detach ask for it: finback ps --timeline NAME")
    request = _request(given)
    with open_workspace(ctx) as workspace:
        if given["dry_run"]:
            _streams.result(run.command(request, workspace.emit).quoted())
            return

        def ready() -> None:
            run.note_loopback(request, workspace.emit)
            run.note_missing_disks(request, workspace.emit)
            if not request.detach:
                _say_how_to_leave()

        if request.detach:
            machine = run.start(request, workspace.emit, ready)
            _streams.note(f"{machine.name} runs (process {machine.pid})")
            name = f"--state {shlex.quote(str(request.state))}" if request.state else machine.name
            _streams.note(f"  its console   {machine.console}\n  to stop it    finback stop {name}")
            return
        status, machine = run.attend(request, workspace.emit, ready)
    failed = _show_causes(machine, given["prefix"])
    if given["timeline"]:
        from finback.app.machine.timeline import draw

        _streams.result(draw(machine.events()))
    ctx.exit(status or (FAILED if failed else 0))


def _show_causes(machine: Running, prefix: Path) -> bool:
    """What the console of a failed boot means, with lines where the file that was built lies beside the image.

    Returns:
        Whether the boot failed: a step that must not fail did, or the kernel gave up. The guest may have powered off.

    """
    from finback.app.machine.diagnosis import diagnose, has_panicked
    from finback.app.machine.timeline import boot_failed
    from finback.app.planning import spec_beside
    from finback.app.trial.expectations import console

    shown = console(machine)
    for diagnostic in diagnose(shown, spec_beside(prefix)):
        _streams.diagnose(diagnostic)
    return has_panicked(shown) or boot_failed(machine.events())


def _say_how_to_leave() -> None:
    from finback.host.terminal import is_terminal

    if is_terminal():
        _streams.note("This is the guest's console. Ctrl-A X leaves and ends the machine.")


def _request(given: dict[str, Any]) -> Request:
    from finback.app.machine.start import Request
    from finback.cli import _machine_words
    from finback.ground.platform import Platform

    if not re.fullmatch(r"user|passt|isolated|none|(tap|bridge),[^,]+", given["networking"]):
        raise click.BadParameter(
            "give user, passt, isolated, none, tap,INTERFACE or bridge,BRIDGE", param_hint="--networking"
        )
    try:
        architecture = Platform.parse(given["arch"]).architecture if given["arch"] else ""
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint="--arch") from None
    return Request(
        prefix=given["prefix"],
        firmware=given["firmware"],
        bus=given["bus"] or "",
        architecture=architecture,
        memory=given["memory"],
        cpus=given["cpus"],
        disks=tuple(_machine_words.disk(d) for d in given["disk"]),
        forwards=tuple(f for p in given["publish"] for f in _machine_words.forwards(p)),
        tpm=given["tpm"],
        networking=given["networking"],
        guest=_guest(given),
        host_loopback=given["host_loopback"],
        sandbox=not given["no_sandbox"],
        accelerator=given["accel"],
        data=_data(given["data"], given["data_file"]),
        secrets=tuple(_secret(s) for s in given["secret"]),
        state=given["state"],
        detach=given["detach"],
        reboot=not given["no_reboot"],
    )


def _guest(given: dict[str, Any]) -> GuestAddress | None:
    """The address that the guest gives itself, where forwarded ports need to know it."""
    from ipaddress import IPv4Address, IPv4Interface

    from finback.app.machine.guest_address import fixed_address, network_of

    if given["guest_address"] is None:
        if not given["publish"]:
            return None
        from finback.app.planning import spec_beside

        return fixed_address(spec_beside(given["prefix"]))
    address, _, router = given["guest_address"].partition(",")
    try:
        return network_of(IPv4Interface(address), IPv4Address(router) if router else None)
    except ValueError as failure:
        raise click.BadParameter(str(failure), param_hint="--guest-address") from None


def _data(text: str | None, path: Path | None) -> bytes | None:
    if text is not None and path is not None:
        raise click.UsageError("--data and --data-file exclude each other")
    if path is not None:
        from finback.host import file

        return file.read(path, limit=DATA_LIMIT)
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _secret(text: str) -> tuple[str, Path]:
    from finback.spec.secret import NAME

    name, _, path = text.partition("=")
    if not NAME.match(name) or not path:
        raise click.BadParameter(f"{text!r} is not NAME=FILE", param_hint="--secret")
    return name, Path(path)
