"""The component `network` in namespaces of this machine, with this kernel and its own iproute2."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from finback.ground.source import Source
from finback.resolve.sections import addition
from finback.spec.load import load_spec

PROGRAM = Path(__file__).resolve().parents[2] / "components/network/rootfs/usr/bin/finback-network"
ENTER = ("unshare", "--user", "--map-root-user", "--net", "--mount")
PREPARE = """\
mount --make-rprivate / && mount -t sysfs sys /sys && mount -t tmpfs run /run && mount --make-shared /run || exit 9
ip link set lo up
"""


def can_enter() -> bool:
    """Whether this user may make namespaces, and this kernel bridges in them."""
    if not (shutil.which("busybox") and Path("/usr/sbin/ip").exists()):
        return False
    script = f"{PREPARE}ip link add name x type bridge && ip link add y type veth peer name z"
    return subprocess.run([*ENTER, "sh", "-c", script], capture_output=True, check=False).returncode == 0


pytestmark = [pytest.mark.tools, pytest.mark.skipif(not can_enter(), reason="no namespaces, busybox or iproute2")]


def run(root: Path, setup: str, before: str, after: str, **texts: str) -> tuple[str, str]:
    """What the program says of *setup*, and what the shell commands *after* it say."""
    folder = root / "network"
    (folder / "hosts").mkdir(parents=True)
    (folder / "setup").write_text(setup)
    for name, text in texts.items():
        (folder / "hosts" / name).write_text(text)
    program = root / "program"
    program.write_text(PROGRAM.read_text().replace("/etc/finback/network", str(folder)))
    script = f"{PREPARE}{before}\nbusybox sh {program} >{root}/said 2>&1; echo $?\n{after}"
    done = subprocess.run([*ENTER, "sh", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return (root / "said").read_text(), done.stdout


def test_two_devices_change_their_names(tmp_path: Path) -> None:
    before = "ip link add va type veth peer name vb; ip link set va address 02:00:00:00:00:0a"
    setup = (
        "find_device vb 0 mac=02:00:00:00:00:0a\nfind_device va 0 'name=v*'\nfind_device none 0 name=x\nrename_found\n"
    )
    said, seen = run(tmp_path, setup, before, "cat /sys/class/net/vb/address; ls /sys/class/net/")
    assert seen.splitlines() == ["0", "02:00:00:00:00:0a", "lo", "va", "vb"]
    assert said.splitlines() == ["vb is the device that was va", "va is the device that was vb"]


def test_routers_outside_of_the_addresses_networks(tmp_path: Path) -> None:
    text = """
network:
  interfaces:
    - {name: lo, addresses: [10.255.0.1/32, "2001:db8:ff::1/128"]}
    - name: a
      veth: {peer: b}
      addresses: [203.0.113.5/32, "2001:db8::5/128"]
      routes:
        - {to: default, via: 198.51.100.1}
        - {to: 198.51.100.1/32}
        - {to: default, via: "2001:db8:1::1", onlink: true}
        - {to: 192.0.2.0/24, via: 198.51.100.1, metric: 7}
    - {name: b}
"""
    (setup,) = (t.contents for t in addition(load_spec(Source("t.yml", text))).texts if t.path == "network/setup")
    said, seen = run(tmp_path, setup, "", "ip route; ip -6 route; ip -o address show dev lo; ip route get 192.0.2.9")
    assert (said, seen.splitlines()[0]) == ("", "0")
    for line in (
        "default via 198.51.100.1 dev a",
        "198.51.100.1 dev a scope link",
        "192.0.2.0/24 via 198.51.100.1 dev a metric 7",
        "default via 2001:db8:1::1 dev a",
        "inet 10.255.0.1/32",
        "inet6 2001:db8:ff::1/128",
        "192.0.2.9 via 198.51.100.1 dev a src 203.0.113.5",
    ):
        assert line in seen


def test_what_fails_keeps_nothing_else_from_being_set_up(tmp_path: Path) -> None:
    text = """
network:
  interfaces:
    - {name: gone, match: {driver: x}, timeout: 1, required: false}
    - {name: a, veth: {peer: b}, mtu: 1400, mac: "02:00:00:00:00:0b", addresses: [192.0.2.1/24, "2001:db8::1/64"]}
    - {name: b}
    - {name: br, bridge: {members: [b]}, routes: [{to: 198.51.100.0/24, metric: 7}]}
    - {name: c, addresses: [203.0.113.1/24], timeout: 1}
"""
    (setup,) = (t.contents for t in addition(load_spec(Source("t.yml", text))).texts if t.path == "network/setup")
    said, seen = run(
        tmp_path, setup, "", "ip -o address show dev a; ip route; cat /sys/class/net/a/mtu; ls /sys/class/net/br/brif"
    )
    # Of what is missing, only `c` is required.
    assert seen.startswith("1\n")
    for line in ("inet 192.0.2.1/24", "inet6 2001:db8::1/64", "198.51.100.0/24 dev br", "metric 7", "\n1400\nb\n"):
        assert line in seen
    assert "gone: there is no such device; there are: lo" in said
    assert "c is not set up:\nc: there is no such device" in said


NETWORKS = """
network:
  networks: [{name: front, subnet: 10.9.0.0/24, subnet6: "fd00:9::/64"}, {name: back, internal: true}]
services:
  - {name: web, image: i, networks: [front, back]}
  - {name: db, image: i, networks: [back]}
  - {name: out, image: i, networks: [front]}
"""
REACHED = """
for pair in web:10.89.1.3 db:10.89.1.2 out:fd00:9::2 out:10.9.0.1 db:10.9.0.1; do
	nsenter --net=/run/netns/${pair%%:*} busybox ping -c 1 -W 2 ${pair#*:} >/dev/null 2>&1
	echo "$pair $?"
done
cat /run/finback/hosts/db
"""


def test_services_reach_each_other_in_their_networks(tmp_path: Path) -> None:
    texts = {t.path.rpartition("/")[2]: t.contents for t in addition(load_spec(Source("t.yml", NETWORKS))).texts}
    hosts = {name: texts[name] for name in ("web", "db", "out")}
    # Rules between networks are of nftables, which this machine may not have.
    said, seen = run(tmp_path, texts["setup"], "", REACHED, **hosts)
    assert said == ""
    assert seen.splitlines()[:6] == [
        "0",
        "web:10.89.1.3 0",
        "db:10.89.1.2 0",
        "out:fd00:9::2 0",
        "out:10.9.0.1 0",
        # It has no way out.
        "db:10.9.0.1 1",
    ]
    assert seen.endswith("10.89.1.3\tdb\n10.89.1.2\tweb\n")
