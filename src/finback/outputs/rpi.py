"""A disk, for an SD card, that the Raspberry Pi 3 and 4 boot: their firmware, kernel and initrd on one FAT partition.

Source: Raspberry Pi documentation, "Boot sequence", "Boot folder contents" and "config.txt".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from finback.assemble.command_line import RASPBERRY_PI
from finback.assemble.system import Contents, System
from finback.codec.disk import Disk
from finback.ground.diagnostic import error
from finback.outputs import Options, _drive
from finback.outputs._boot import parts, volume
from finback.outputs._disk import FIRST, with_mbr
from finback.tree.content import Inline, Stretch
from finback.tree.entry import File

COMPONENT = "raspberrypi"
FIRMWARE = "usr/lib/raspi-firmware"


@dataclass(frozen=True, slots=True)
class Board:
    """What a board needs beside the kernel."""

    name: str
    firmware: tuple[str, ...]
    trees: tuple[str, ...]
    """Device trees, by the names that Linux gives them."""


BOARDS = (
    Board(
        "Raspberry Pi 3",
        ("bootcode.bin", "start.elf", "fixup.dat"),
        ("bcm2837-rpi-3-a-plus.dtb", "bcm2837-rpi-3-b.dtb", "bcm2837-rpi-3-b-plus.dtb"),
    ),
    Board("Raspberry Pi 4", ("start4.elf", "fixup4.dat"), ("bcm2711-rpi-4-b.dtb",)),
)
CONFIG = (
    "arm_64bit=1",
    "kernel=kernel",
    "initramfs initrd.img followkernel",
    "cmdline=cmdline.txt",
    # Device trees have the names that Linux gives them, not the firmware's own.
    "upstream_kernel=1",
    # Without it the serial console's clock follows the processor's.
    "enable_uart=1",
)


def _image(system: System, contents: Contents, options: Options) -> Disk:
    found = {path.rsplit("/", 1)[-1]: e for path, e in contents.loader(COMPONENT).items() if isinstance(e, File)}
    for board in BOARDS:
        missing = [f for f in (*board.firmware, *board.trees) if f not in found]
        if missing:
            raise error(
                "F160",
                f"component {COMPONENT} has no {', '.join(missing)}, which the {board.name} needs to boot",
                help=f"it is not free and not in Debian's main archive: copy the folder components/{COMPONENT} into "
                f"one that `library:` of config.yml names, and what package raspi-firmware has in /{FIRMWARE} into its "
                f"rootfs/{FIRMWARE}",
            )
    made = parts(system, contents, options)
    files: dict[str, Iterable[Stretch] | None] = {
        f: (found[f].content,) for board in BOARDS for f in (*board.firmware, *board.trees)
    }
    files["kernel"] = made.kernel
    files["initrd.img"] = made.initrd
    files["cmdline.txt"] = (Inline(RASPBERRY_PI.write(system).encode() + b"\n"),)
    files["config.txt"] = (Inline("".join(f"{line}\n" for line in CONFIG).encode()),)
    return with_mbr(volume(files, system, first=FIRST).disk, system, options, b"")


FORMAT = _drive.drive_format(
    _drive.Drive(_image, {"arm64": (COMPONENT,)}, (RASPBERRY_PI,)), _drive.raw, suffix="-rpi.img", media_type=_drive.RAW
)
