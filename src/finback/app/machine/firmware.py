"""UEFI firmware for QEMU: found by the descriptions that distributions ship with it.

Source: QEMU, docs/interop/firmware.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finback.backends import Firmware
from finback.codec import strict_json
from finback.ground.diagnostic import FinbackError, error
from finback.ground.platform import ARCHITECTURES
from finback.host import file

# Local descriptions come before a distribution's; the last is Homebrew's.
FOLDERS = (
    Path("/etc/qemu/firmware"),
    Path("/usr/local/share/qemu/firmware"),
    Path("/usr/share/qemu/firmware"),
    Path("/opt/homebrew/share/qemu/firmware"),
)
LIMIT = 1 << 20
STORE_LIMIT = 128 << 20
PACKAGES = {"amd64": "ovmf", "arm64": "qemu-efi-aarch64", "riscv64": "qemu-efi-riscv64"}
# Firmware that boots only what is signed, or that wants a machine of its own kind.
UNWANTED = frozenset({"requires-smm", "enrolled-keys"})


def find(architecture: str, variables: Path) -> Firmware:
    """The firmware for machines of *architecture*, with its variables at *variables*.

    Raises:
        FinbackError: F530, none is installed.

    """
    name = ARCHITECTURES[architecture].kernel
    for folder in FOLDERS:
        for path in sorted(folder.glob("*.json")):
            found = _described(path, name)
            if found is not None and all(p.is_file() for p in found):
                return Firmware(code=found[0], template=found[1], variables=variables)
    package = PACKAGES.get(architecture)
    raise error(
        "F530",
        f"there is no UEFI firmware for {architecture}",
        help=f"install it: apt install {package}" if package else "boot kernel and initrd directly",
    )


def prepare(firmware: Firmware) -> None:
    """Give the machine a variable store of its own, if it has none yet.

    Raises:
        FinbackError: F404, F405, F410 or F411, the template can't be read or the copy not be written.

    """
    if not firmware.variables.exists():
        data = file.read(firmware.template, limit=STORE_LIMIT)
        with file.writing(firmware.variables) as out:
            out.write(data)


def _described(path: Path, architecture: str) -> tuple[Path, Path] | None:
    """Code and template of the firmware that *path* describes, if it serves; what can't be read does not."""
    try:
        data: dict[str, Any] = strict_json.plain(file.read(path, limit=LIMIT))
        mapping = data["mapping"]
        serves = (
            "uefi" in data["interface-types"]
            and any(t["architecture"] == architecture for t in data["targets"])
            and not UNWANTED & set(data["features"])
            and mapping["device"] == "flash"
            and mapping["executable"]["format"] == mapping["nvram-template"]["format"] == "raw"
        )
        if not serves:
            return None
        return Path(mapping["executable"]["filename"]), Path(mapping["nvram-template"]["filename"])
    except (FinbackError, ValueError, KeyError, TypeError):
        return None
