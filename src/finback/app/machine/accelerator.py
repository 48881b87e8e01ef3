"""Which way QEMU runs a guest here: natively only where a guest has really been seen to run.

/dev/kvm may exist, open, and hang every guest, or emulate it instruction by instruction until it meets one that it does
not know. So a guest of a few instructions runs once per machine and version of its kernel, and what became of it is
remembered.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from finback.backends.qemu import PROCESSORS, program
from finback.codec import strict_json
from finback.ground.diagnostic import FinbackError, error
from finback.ground.event import Emit, Noted
from finback.host import child, environment, file, folder
from finback.host.machine import host_kernel, host_platform
from finback.host.process import Command

SECONDS = 8.0
# Raised when the probe changes, so that it runs again.
PROBE = 4
WAYS = ("auto", "kvm", "hvf", "tcg")
KVM = Path("/dev/kvm")
# Software, not the processor's virtualization. It runs some guests, and stops kernels that know nothing of it at the
# first instruction that it can't emulate, which may be after seconds: no small guest shows that.
PVM = Path("/sys/module/kvm_pvm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A guest that does one thing: it ends QEMU with a certain status."""

    image: bytes
    arguments: tuple[str, ...]
    """To QEMU; `{image}` is the file with the image."""
    status: int


PROBES = {
    # A boot sector. Into long mode, with 2 MiB mapped at PML4 0x1000, PDPT 0x2000 and PD 0x3000; then 2^27 times
    # `dec ecx; jnz`, which ends in time where the processor itself counts, and does not where KVM emulates each
    # instruction; and, if CPUID has BMI2, `shlx eax,eax,ecx`, which kernels' decompressors use and KVM's emulator does
    # not know. Then `out 0xf4,al` of 0 to the debug exit port ends QEMU with status 1.
    "amd64": Probe(
        image=bytes.fromhex(
            "fa31c08ed88ec08ed0bc007cbf0010b90018fcf3abc70600100320c70600200330c7060030830066b8200000000f22e066b8"
            "001000000f22d866b9800000c00f320d00010f30660f0116907c0f20c0660d010000800f22c0ea5d7c0800b900000008ffc9"
            "75fcb8070000000fa20fbae3087305c4e271f7c031c0e6f4f4ebfd900000000000000000ffff0000009aaf000f00807c0000"
        ).ljust(510, b"\0") + b"\x55\xaa",
        arguments=(
            "-machine", "q35", "-drive", "if=ide,format=raw,readonly=on,snapshot=on,file={image}",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=1",
        ),
        status=1,
    ),
    # PSCI SYSTEM_OFF: mov w0,#8; movk w0,#0x8400,lsl #16; hvc #0; b .
    "arm64": Probe(
        image=bytes.fromhex("00018052 0080b072 020000d4 00000014"),
        arguments=("-machine", "virt,gic-version=max", "-kernel", "{image}"),
        status=0,
    ),
    # The test device's "pass": lui t0,0x100; lui t1,5; addi t1,t1,0x555; sw t1,0(t0); j .
    "riscv64": Probe(
        image=bytes.fromhex("b7021000 37530000 13035355 23a06200 6f000000"),
        arguments=("-machine", "virt", "-bios", "none", "-kernel", "{image}"),
        status=0,
    ),
    # An initial PSW that leads to 8 KiB, and there: larl %r1,.+16; lpswe 0(%r1); and 16 bytes further a PSW that waits
    # at 0xfff without interrupts, which is how such a guest says that it is done.
    "s390x": Probe(
        image=bytes.fromhex("00080000 80002000").ljust(8192, b"\0")
        + bytes.fromhex("c01000000008 b2b21000 000000000000 0002000180000000 0000000000000fff"),
        arguments=("-machine", "s390-ccw-virtio", "-kernel", "{image}"),
        status=0,
    ),
}  # fmt: skip


def choose(wanted: str, architecture: str, emit: Emit) -> str:
    """The accelerator for a guest of *architecture*: what is *wanted*, or the best that works.

    Raises:
        FinbackError: F521, the one asked for does not work here.

    """
    if wanted == "tcg":
        return "tcg"
    native = {"linux": "kvm", "darwin": "hvf"}.get(sys.platform, "")
    reason = _obstacle(wanted if wanted != "auto" else native, native, architecture, emit)
    if not reason:
        return native
    if wanted != "auto":
        raise error("F521", f"{wanted} can't be used: {reason}", help="use --accel auto or --accel tcg")
    emit(Noted(text=f"guest runs in software emulation, which is slower: {reason}"))
    return "tcg"


def native_obstacle(emit: Emit) -> str:
    """Why guests of this machine's own architecture can't run natively; "" when they can."""
    native = {"linux": "kvm", "darwin": "hvf"}.get(sys.platform, "")
    return _obstacle(native, native, host_platform().architecture, emit)


def _obstacle(wanted: str, native: str, architecture: str, emit: Emit) -> str:
    """Why guests of *architecture* can't run with *wanted* here; "" when they can."""
    if not native or wanted != native:
        return f"this system has no {wanted or 'acceleration'}"
    if architecture != host_platform().architecture:
        return f"this machine's architecture is {host_platform().architecture}, the guest's is {architecture}"
    if native == "hvf":
        # Part of macOS on every machine that runs it; QEMU says so itself where it is not.
        return ""
    obstacles = (
        (not KVM.exists(), f"there is no {KVM}"),
        (not environment.may_write(KVM), f"this user may not open {KVM} (the group kvm may)"),
        (PVM.exists(), f"{KVM} is that of kvm-pvm, which runs no kernel that is not made for it"),
    )
    for there, reason in obstacles:
        if there:
            return reason
    return "" if _seen_to_run(architecture, emit) else f"{KVM} is there, but a test guest did not run with it"


def _seen_to_run(architecture: str, emit: Emit) -> bool:
    record = environment.state_folder() / "kvm.json"
    known = _read(record)
    # A home directory may be shared: one entry a machine and kernel.
    key = f"{host_kernel()} {architecture} {PROBE}"
    if not isinstance(known.get(key), bool):
        emit(Noted(text=f"trying KVM with a small guest, once, for at most {SECONDS:.0f} s"))
        known = {**known, key: probe(architecture, "kvm")}
        with file.writing(record) as out:
            out.write(json.dumps(known, indent=1).encode())
    return bool(known[key])


def _read(path: Path) -> dict[str, object]:
    try:
        value = strict_json.plain(file.read(path, limit=1 << 16))
    except (FinbackError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def probe(architecture: str, accelerator: str) -> bool:
    """Whether a guest of a few instructions runs to its end.

    Raises:
        FinbackError: F520, there is no QEMU for *architecture*.

    """
    wanted = PROBES[architecture]
    state = environment.state_folder()
    folder.make_private(state)
    common = ("-accel", accelerator, "-cpu", "host" if accelerator == "kvm" else PROCESSORS[architecture], "-m", "64M")
    quiet = ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
    with folder.scratch(state) as place:
        path = place / "image"
        with file.writing(path) as out:
            out.write(wanted.image)
        arguments = tuple(a.format(image=str(path).replace(",", ",,")) for a in wanted.arguments)
        argv = (program(architecture), *common, *quiet, *arguments)
        return child.runs(Command(argv=argv), SECONDS, wanted.status)
