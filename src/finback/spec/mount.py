"""The short forms of mounts and limits: `binds`, `tmpfs`, `rlimits`. Source: compat 1.6 and 1.6.1."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

BIND_DEFAULT = ("rw", "rbind", "rshared")
RLIMITS = (
    "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
    "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
)  # fmt: skip
UNLIMITED = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Bind:
    """A parsed bind."""

    source: str
    destination: str
    options: tuple[str, ...]


def inside(destination: str) -> str:
    """*destination* as a path in the container. A relative one begins at its root, as runc has it for LinuxKit."""
    return destination if destination.startswith("/") else posixpath.normpath(f"/{destination}")


def parse_bind(text: str) -> Bind:
    """Read ``source:destination[:options]``.

    Raises:
        ValueError: it has another form.

    """
    parts = text.split(":")
    if len(parts) not in (2, 3) or not parts[0] or not parts[1]:
        raise ValueError(f"{text!r} is not SOURCE:DESTINATION[:OPTIONS]")
    options = (*[o for o in parts[2].split(",") if o], "rbind") if len(parts) == 3 else BIND_DEFAULT
    return Bind(parts[0], inside(parts[1]), options)


def parse_tmpfs(text: str) -> tuple[str, tuple[str, ...]]:
    """Read ``destination[:options]``: the destination and the options.

    Raises:
        ValueError: it has another form.

    """
    parts = text.split(":")
    if len(parts) > 2 or not parts[0]:
        raise ValueError(f"{text!r} is not DESTINATION[:OPTIONS]")
    return inside(parts[0]), tuple(o for o in parts[1].split(",") if o) if len(parts) == 2 else ()


def parse_rlimit(text: str) -> tuple[str, int, int]:
    """Read ``name,soft,hard``: the full name and the two limits.

    Raises:
        ValueError: it has another form, or no such limit exists.

    """
    parts = [p.strip() for p in text.split(",")]
    if len(parts) != 3:
        raise ValueError(f"{text!r} is not NAME,SOFT,HARD")
    name = parts[0].upper().removeprefix("RLIMIT_")
    if name not in RLIMITS:
        raise ValueError(f"there is no limit {parts[0]!r}")
    values = []
    for part in parts[1:]:
        if part != "unlimited" and not (part.isascii() and part.isdecimal() and int(part[:20]) <= UNLIMITED):
            raise ValueError(f"{part!r} is neither a number nor unlimited")
        values.append(UNLIMITED if part == "unlimited" else int(part))
    if values[0] > values[1]:
        raise ValueError(f"the soft limit {parts[1]} is above the hard limit {parts[2]}")
    return f"RLIMIT_{name}", values[0], values[1]
