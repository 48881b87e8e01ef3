"""Values of `--publish` and `--disk`: words in which a machine is described on the command line."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

import click

from finback.backends import Disk, Forward

# LinuxKit counts in GB when no unit is given.
UNITS = {"": 1 << 30, "M": 1 << 20, "G": 1 << 30}
FORMATS = ("raw", "qcow2")
BUSES = ("virtio", "sata", "scsi", "nvme")
# Each port of a range is a rule of its own.
RANGE_LIMIT = 256
_RANGE = r"(\d{1,5})(?:-(\d{1,5}))?"
_FORWARD = re.compile(rf"(?:(?:(\[[0-9A-Fa-f:.]+\]|[0-9.]+):)?{_RANGE}:)?{_RANGE}(?:/(tcp|udp))?", re.ASCII)
_SERIAL = re.compile(r"[A-Za-z0-9._-]{1,20}", re.ASCII)


def forwards(text: str) -> tuple[Forward, ...]:
    """The ports that `[[ADDRESS:]HOST[-LAST]:]GUEST[-LAST][/tcp|udp]` publishes. An IPv6 address is in brackets.

    Raises:
        click.BadParameter: it is not of that form.

    """
    found = _FORWARD.fullmatch(text)
    if not found:
        raise _no_forward(text, "it is not [[ADDRESS:]HOST[-LAST]:]GUEST[-LAST][/tcp|udp]")
    address, first, last, guest_first, guest_last, protocol = found.groups()
    guests = _ports(guest_first, guest_last)
    hosts = _ports(first, last) if first else guests
    for ports in (hosts, guests):
        if not ports or ports[0] < 1 or ports[-1] > 65535:
            raise _no_forward(text, "a port is a number from 1 to 65535, and a range ends above its beginning")
    if len(hosts) != len(guests):
        raise _no_forward(text, f"one range has {len(hosts)} ports, the other {len(guests)}")
    if len(hosts) > RANGE_LIMIT:
        raise _no_forward(text, f"a range has at most {RANGE_LIMIT} ports")
    where = (address or "127.0.0.1").strip("[]")
    try:
        where = str(ip_address(where))
    except ValueError:
        raise _no_forward(text, f"{where} is not an IP address") from None
    pairs = zip(hosts, guests, strict=True)
    return tuple(Forward(host=h, guest=g, protocol=protocol or "tcp", address=where) for h, g in pairs)


def _ports(first: str, last: str | None) -> range:
    return range(int(first), int(last or first) + 1)


def _no_forward(text: str, why: str) -> click.BadParameter:
    return click.BadParameter(f"{text!r}: {why}", param_hint="--publish")


def disk(text: str) -> Disk:
    """The disk that `[file=]PATH[,size=N[M|G]][,format=F][,bus=B][,serial=S]` describes.

    Raises:
        click.BadParameter: it is not of that form.

    """
    words = text.split(",")
    # LinuxKit takes the path with and without its key, in the first place.
    first, *rest = words if "=" in words[0] else [f"file={words[0]}", *words[1:]]
    options: dict[str, str] = {}
    for word in (first, *rest):
        key, _, value = word.partition("=")
        if key not in ("file", "size", "format", "bus", "serial") or not value or key in options:
            raise _no_disk(text)
        options[key] = value
    size = re.fullmatch(r"(\d{1,9})([MG]?)", options.get("size", "1"), re.ASCII)
    form, bus, serial = options.get("format", ""), options.get("bus", "virtio"), options.get("serial", "")
    if not size or not int(size[1]) or form not in ("", *FORMATS) or not options.keys() & {"file", "size"}:
        raise _no_disk(text)
    if bus not in BUSES or not (serial == "" or _SERIAL.fullmatch(serial)):
        raise _no_disk(text)
    return Disk(
        path=Path(options["file"]) if "file" in options else None,
        size=int(size[1]) * UNITS[size[2]] if "size" in options else None,
        format=form,
        bus=bus,
        serial=serial,
    )


def _no_disk(text: str) -> click.BadParameter:
    form = f"[file=]PATH[,size=N[M|G]][,format={'|'.join(FORMATS)}][,bus={'|'.join(BUSES)}][,serial=TEXT]"
    return click.BadParameter(f"{text!r} is not {form}", param_hint="--disk")
