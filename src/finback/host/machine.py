"""Facts about the machine that finback runs on."""

from __future__ import annotations

import platform
import uuid

from finback.ground.platform import ARCHITECTURES, Platform


def host_platform() -> Platform:
    """Linux on this machine's architecture, or on amd64 where finback does not know the architecture."""
    machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    found = [a.oci for a in ARCHITECTURES.values() if a.kernel == machine]
    return Platform("linux", found[0] if found else "amd64")


def host_kernel() -> str:
    """This machine's name and the version of its kernel: what facts about them are remembered under."""
    return f"{platform.node()} {platform.system()} {platform.release()}"


def new_uuid() -> str:
    """A random UUID (RFC 9562, version 4)."""
    return str(uuid.uuid4())
