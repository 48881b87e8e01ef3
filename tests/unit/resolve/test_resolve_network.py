from __future__ import annotations

import shutil
import subprocess

import pytest

from finback.ground.source import Source
from finback.resolve.sections import Addition, addition
from finback.spec.decode import load
from finback.spec.model import Spec

KEY = "YJZQ2UNQyCEqMVRMhbSV1HgCrUGoyCq5Iuz3y5NSBl8="
WHOLE = f"""\
network:
  onFailure: halt
  dns: {{servers: [192.0.2.53], search: [example.org]}}
  interfaces:
    - name: b0
      bond: {{members: [c, d], primary: d}}
      addresses: [192.0.2.2/24]
      routes: [{{to: default, via: 192.0.2.1}}]
    - {{name: c, match: {{first: true}}}}
    - {{name: d, match: {{mac: "52:54:00:AA:00:01"}}, required: false}}
    - {{name: e, match: {{name: "en*", driver: "e1000*"}}, dhcp: ipv6, timeout: 9}}
    - {{name: b0.7, vlan: {{parent: b0, id: 7}}, mtu: 1400}}
    - {{name: x, veth: {{peer: y}}}}
    - {{name: y, dhcp: ipv4}}
    - name: w
      wireguard:
        port: 7
        peers: [{{publicKey: {KEY}, allowedIPs: [10.0.0.2/32, 0.0.0.0/0], endpoint: "h:9", keepalive: 25}}]
"""


def made(text: str) -> Addition:
    return addition(load(Spec, Source("t.yml", text)))


def texts(text: str) -> dict[str, str]:
    return {t.path: t.contents for t in made(text).texts}


def test_a_spec_without_the_section_gets_nothing() -> None:
    assert made("services: []") == Addition()


def test_a_step_a_service_and_what_the_kernel_needs() -> None:
    found = made(WHOLE)
    assert [(i.name, i.image, i.on_failure) for i in found.early] == [("network", "finback/network", "halt")]
    assert [i.name for i in found.services] == ["network"]
    assert sorted(d.name for d in found.drivers) == ["8021q", "bonding", "veth", "wireguard"]
    assert [i.name for i in made("network: {interfaces: [{name: a}]}").services] == []


def test_exact_rules_are_looked_for_first_and_parts_are_made_before_the_whole() -> None:
    lines = texts(WHOLE)["network/setup"].splitlines()
    assert [line for line in lines if line.startswith("find_device")] == [
        "find_device d 30 mac=52:54:00:aa:00:01 bus",
        "find_device e 9 'name=en*' 'driver=e1000*' bus",
        "find_device c 30 bus",
    ]
    order = [line.split()[1] for line in lines if line.startswith("configure")]
    assert sorted(order) == ["b0", "b0.7", "c", "d", "e", "w", "x", "y"]
    for first, second in (("c", "b0"), ("d", "b0"), ("b0", "b0.7"), ("x", "y")):
        assert order.index(first) < order.index(second)
    assert [line for line in lines if line.startswith("lease")] == ["lease e required 9", "lease y required 30"]
    assert any(line.startswith("configure d optional") for line in lines)


def test_a_peer_with_a_name_waits_until_names_can_be_looked_up() -> None:
    lines = texts(WHOLE)["network/setup"].splitlines()
    (made,) = (i for i, line in enumerate(lines) if line.startswith("configure w "))
    assert lines.index("lease y required 30") < lines.index("finish_leases") < made
    by_address = texts(WHOLE.replace("h:9", "192.0.2.9:9"))["network/setup"].splitlines()
    assert by_address[-1] == "finish_leases"
    assert by_address.count("finish_leases") == 1


def test_commands() -> None:
    setup = texts(WHOLE)["network/setup"]
    for line in (
        "make_link b0 type bond mode active-backup miimon 100",
        "ip link set dev d master b0",
        "ip link set dev b0 type bond primary d",
        "ip address add 192.0.2.2/24 dev b0",
        "ip route add default via 192.0.2.1 dev b0",
        "ip link add link b0 name b0.7 type vlan id 7",
        "ip link set dev b0.7 mtu 1400",
        "make_key /var/lib/wireguard/w.key",
        "wg set w private-key /var/lib/wireguard/w.key listen-port 7",
        f"wg set w peer {KEY} endpoint h:9 persistent-keepalive 25 allowed-ips 10.0.0.2/32,0.0.0.0/0",
        "ip route add 10.0.0.2/32 dev w",
        "ip link set dev w mtu 1420",
    ):
        assert f"\t{line} &&\n" in setup or f"\t{line}\n}}" in setup, line
    assert "0.0.0.0/0 dev" not in setup
    # A part comes up with the whole.
    assert setup.count("ip link set dev c up") == 1
    assert setup.index("ip link set dev c up") > setup.index("ip link set dev c master b0")
    assert texts(WHOLE)["network/resolv.conf"] == "search example.org\nnameserver 192.0.2.53\n"
    leasing = texts(WHOLE)["network/dhcpcd.conf"]
    assert leasing.endswith("allowinterfaces e y\ninterface e\nipv6only\nwaitip 6\ninterface y\nipv4only\nwaitip 4\n")


@pytest.mark.tools
def test_dhcp_has_metrics() -> None:
    links = "[{name: a, dhcp: ipv4, metric: 200}, {name: b, dhcp: both}]"
    conf = texts(f"network: {{interfaces: {links}}}")["network/dhcpcd.conf"]
    assert conf.endswith("interface a\nipv4only\nwaitip 4\nmetric 200\ninterface b\nwaitip 4\n")


@pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox")
def test_the_text_is_shell() -> None:
    done = subprocess.run(
        ["busybox", "sh", "-n"], input=texts(WHOLE)["network/setup"], text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
