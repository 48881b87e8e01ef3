"""Values of `--publish` and `--disk`."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from finback.backends import Disk, Forward
from finback.cli._machine_words import disk, forwards


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80", [("127.0.0.1", 80, 80, "tcp")]),
        ("8080:80/udp", [("127.0.0.1", 8080, 80, "udp")]),
        ("0.0.0.0:8080:80", [("0.0.0.0", 8080, 80, "tcp")]),
        ("[::1]:8080:80", [("::1", 8080, 80, "tcp")]),
        ("[2001:DB8::0:1]:53:53/udp", [("2001:db8::1", 53, 53, "udp")]),
        ("8000-8002:80-82", [("127.0.0.1", 8000 + n, 80 + n, "tcp") for n in range(3)]),
        ("[::1]:8000-8001:80-81/tcp", [("::1", 8000 + n, 80 + n, "tcp") for n in range(2)]),
        ("7000-7001", [("127.0.0.1", 7000, 7000, "tcp"), ("127.0.0.1", 7001, 7001, "tcp")]),
    ],
)
def test_forwards(text: str, expected: list[tuple[str, int, int, str]]) -> None:
    assert forwards(text) == tuple(Forward(address=a, host=h, guest=g, protocol=p) for a, h, g, p in expected)


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "0", "65536", "80:0", "1:2:3", "256.0.0.1:1:1", "::1:80:80", "[::1]:80", "[::g]:1:1", "8000-8001:80",
        "8001-8000:80-81", "80/sctp", "1-300:1-300", "80-", "[127.0.0.1:80:80", "65535-65536",
    ],
)  # fmt: skip
def test_what_is_no_forward(text: str) -> None:
    with pytest.raises(click.BadParameter):
        forwards(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.img", Disk(path=Path("a.img"))),
        ("a.img,size=2", Disk(path=Path("a.img"), size=2 << 30)),
        ("file=a,size=64M,format=qcow2", Disk(path=Path("a"), size=64 << 20, format="qcow2")),
        ("size=1G,bus=sata", Disk(size=1 << 30, bus="sata")),
        ("a,bus=nvme,serial=logs-1", Disk(path=Path("a"), bus="nvme", serial="logs-1")),
        ("a,bus=scsi", Disk(path=Path("a"), bus="scsi")),
    ],
)
def test_disks(text: str, expected: Disk) -> None:
    assert disk(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "bus=sata", "a,bus=ide", "a,serial=", "a,serial=x y", f"a,serial={'x' * 21}", "a,bus=sata,bus=sata", "a,x"],
)
def test_what_is_no_disk(text: str) -> None:
    with pytest.raises(click.BadParameter):
        disk(text)
