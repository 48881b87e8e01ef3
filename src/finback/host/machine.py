"""Facts about the machine that finback runs on."""

from __future__ import annotations

import os
import platform
import re
import uuid
from pathlib import Path

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


def processors() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        # macOS has none of that.
        return os.cpu_count() or 1


def available_memory() -> int | None:
    """Bytes of memory that can be had without swapping; None where that is not known. Source: proc_meminfo(5)."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)
    return int(found[1]) << 10 if found else None


def is_root() -> bool:
    """Whether root runs this."""
    return os.geteuid() == 0


def has_seccomp() -> bool:
    """Whether programs can give up system calls here (seccomp(2)), which is Linux's."""
    return Path("/proc/sys/kernel/seccomp").is_dir()


def has_resolver_on_loopback(path: Path = Path("/etc/resolv.conf")) -> bool:
    """Whether this machine's name servers all listen on its loopback, as that of systemd-resolved does.

    Source: resolv.conf(5).
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    servers = re.findall(r"^nameserver[ \t]+(\S+)", text, re.MULTILINE)
    return bool(servers) and all(s.startswith("127.") or s == "::1" for s in servers)
