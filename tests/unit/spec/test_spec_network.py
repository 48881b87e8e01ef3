from __future__ import annotations

import pytest

from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.source import Source
from finback.spec.check import check
from finback.spec.decode import load
from finback.spec.load import load_all
from finback.spec.model import Spec

KEY = "YJZQ2UNQyCEqMVRMhbSV1HgCrUGoyCq5Iuz3y5NSBl8="


def findings(text: str) -> list[Diagnostic]:
    return list(check(load(Spec, Source("t.yml", text))))


def network(*interfaces: str, more: str = "") -> str:
    return f"network: {{interfaces: [{', '.join('{' + i + '}' for i in interfaces)}]{more}}}"


WRONG = [
    (network("name: way-too-long-name"), "F070", "15"),
    (network("name: lo"), "F070", "addresses"),
    (network("name: lo, dhcp: ipv4"), "F070", "remove"),
    (network("name: lo, addresses: [10.0.0.1/32], mtu: 1500"), "F070", "remove"),
    (network("name: a, addresses: [192.0.2.255/24]"), "F071", "192.0.2.1/24"),
    (network("name: a, addresses: [0.0.0.0/32]"), "F071", "192.0.2.10/24"),
    (network("name: a, addresses: ['ff02::1/128']"), "F071", "write such as"),
    (network("name: a, mtu: 1279, addresses: ['2001:db8::1/64']"), "F074", "1280"),
    (network("name: a, mtu: 576, dhcp: both"), "F074", "1280"),
    (network("name: a, addresses: [203.0.113.5/32], routes: [{to: default, via: 198.51.100.1}]"), "F071", "/32}"),
    (network("name: a, addresses: [192.0.2.3/24], routes: [{to: default, via: 192.0.2.3}]"), "F071", "router"),
    (network("name: a, routes: [{to: 192.0.2.0/24, via: '2001:db8::1'}]"), "F071", "router"),
    (network("name: a, routes: [{to: 192.0.2.0/24, metric: -1}]"), "F064", "4294967295"),
    (network("name: a, dhcp: both, metric: 5000000000"), "F064", "4294967295"),
    (network("name: a", "name: a"), "F070", "rename"),
    (network("name: a, dhcp: ipv4") + "\nservices: [{name: network, image: i}]", "F070", "rename"),
    (network("name: a, addresses: [192.0.2.300/24]"), "F071", "192.0.2.10/24"),
    (network("name: a, addresses: [192.0.2.3]"), "F071", "192.0.2.3/24"),
    (network("name: a, addresses: [192.0.2.0/24]"), "F071", "192.0.2.1/24"),
    (network("name: a, addresses: ['2001:db8::1']"), "F071", "2001:db8::1/64"),
    (network("name: a, addresses: [192.0.2.3/24]", "name: b, addresses: [192.0.2.3/25]"), "F072", "remove"),
    (network("name: a, routes: [{to: here}]"), "F071", "default"),
    (network("name: a, routes: [{to: default, via: x}]"), "F071", "192.0.2.1"),
    (network("name: a, addresses: [192.0.2.3/24], routes: [{to: default, via: 198.51.100.1}]"), "F071", "192.0.2.0"),
    (network("name: v, vlan: {parent: lan, id: 5}"), "F073", "{name: lan}"),
    (network("name: lan", "name: v, vlan: {parent: lna, id: 5}"), "F073", "did you mean lan"),
    (network("name: v, vlan: {parent: v, id: 5}"), "F073", "remove"),
    (network("name: lan", "name: v, vlan: {parent: lan, id: 4095}"), "F074", "4094"),
    (network("name: b, bond: {members: []}"), "F073", "at least one"),
    (network("name: b, bond: {members: [c]}"), "F073", "{name: c}"),
    (network("name: b, bond: {members: [c], primary: d}", "name: c"), "F073", "members"),
    (network("name: b, bond: {members: [c]}", "name: d, bridge: {members: [c]}", "name: c"), "F073", "part of one"),
    (network("name: b, bridge: {members: [c]}", "name: c, dhcp: ipv4"), "F073", "move it to b"),
    (network("name: a, dummy: true, match: {first: true}"), "F074", "one thing"),
    (network("name: a, match: {}"), "F074", "first: true"),
    (network("name: a, match: {mac: 52-54-00-12-34-56}"), "F074", "52:54"),
    (network("name: a, mtu: 60"), "F074", "68"),
    (network("name: a, timeout: 0"), "F064", "seconds"),
    (network("name: a, veth: {peer: a}"), "F074", "another"),
    (network(f"name: w, wireguard: {{port: 0, peers: [{{publicKey: {KEY}}}]}}"), "F064", "65535"),
    (network("name: w, wireguard: {peers: [{publicKey: x}]}"), "F074", "Base64"),
    (network(f"name: w, wireguard: {{peers: [{{publicKey: {KEY}, endpoint: x}}]}}"), "F074", "HOST:PORT"),
    (network(f"name: w, wireguard: {{peers: [{{publicKey: {KEY}, allowedIPs: [x]}}]}}"), "F071", "10.0.0.2/32"),
    (network("name: a", more=", dns: {servers: [dns.example]}"), "F071", "addresses"),
    (network("name: a, addresses: [192.0.2.3/0.0.0.255]"), "F071", "192.0.2.10/24"),
    (network("name: a, addresses: ['fe80::3%a/64']"), "F071", "2001:db8::10/64"),
    (network("name: a, addresses: [127.0.0.2/8]"), "F071", "`lo`"),
    (network("name: a, routes: [{to: 10.9.3.0/16}]"), "F071", "10.9.0.0/16"),
    (network("name: a, dhcp: ipv6, routes: [{to: default, via: 'fe80::1%a'}]"), "F071", "write fe80::1:"),
    (network("name: a, addresses: [192.0.2.3/24], routes: [{to: default, via: 192.0.2.255}]"), "F071", "router"),
    (network("name: a, addresses: [192.0.2.3/24], routes: [{to: default, via: 192.0.2.0}]"), "F071", "router"),
    (network("name: a, dhcp: ipv4, routes: [{to: default, via: 224.0.0.1}]"), "F071", "router"),
    (network("name: a, dhcp: ipv4, routes: [{to: default, via: 0.0.0.0, onlink: true}]"), "F071", "router"),
    (network("name: a, routes: [{to: default, via: 192.0.2.1}]"), "F071", "a has no address"),
    (network("name: a, dhcp: ipv4, routes: [{to: 10.0.0.0/8, via: 192.0.2.1}, {to: 10.0.0.0/8}]"), "F072", "metric"),
    (network("name: a, addresses: [192.0.2.3/24], routes: [{to: 192.0.2.0/24}]"), "F072", "metric"),
    (
        network(
            "name: a, addresses: [192.0.2.3/24], routes: [{to: default, via: 192.0.2.1}]",
            "name: b, addresses: [198.51.100.3/24], routes: [{to: 0.0.0.0/0, via: 198.51.100.1, metric: 0}]",
        ),
        "F072",
        "metric",
    ),
    (network("name: a, dhcp: ipv4, mac: '01:00:5e:00:00:01'"), "F074", "even"),
    (network("name: a, dhcp: ipv4, mac: '00:00:00:00:00:00'"), "F074", "even"),
    (network("name: a, mtu: 576, routes: [{to: '2001:db8::/32', via: 'fe80::1'}]"), "F074", "1280"),
    (network("name: a, mtu: 1500", "name: v, mtu: 9000, vlan: {parent: a, id: 5}"), "F074", "at most 1500"),
    (network("name: a", "name: v, vlan: {parent: a, id: 5}", "name: w, vlan: {parent: a, id: 5}"), "F074", "number"),
]


@pytest.mark.parametrize(("text", "code", "remedy"), WRONG, ids=[f"{c}-{i}" for i, (_, c, _) in enumerate(WRONG)])
def test_what_is_wrong(text: str, code: str, remedy: str) -> None:
    (found,) = findings(text)
    assert (found.code, found.severity) == (code, Severity.ERROR)
    assert remedy in found.help
    assert found.span is not None


@pytest.mark.parametrize(
    "text",
    [
        network("name: w, wireguard: {}"),
        network("name: a", more=", dns: {servers: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4]}"),
        network("name: a", more=", dns: {search: [example.org]}"),
        network("name: a, metric: 5"),
        network("name: a, routes: [{to: 192.0.2.0/24, onlink: true}]"),
    ],
)
def test_what_is_doubtful(text: str) -> None:
    (found,) = findings(text)
    assert (found.code, found.severity) == ("F075", Severity.WARNING)


@pytest.mark.parametrize(
    "text",
    [
        network("name: lan, match: {driver: virtio_net}, dhcp: both"),
        network(
            "name: a, addresses: [203.0.113.5/32], routes: [{to: default, via: 198.51.100.1}, {to: 198.51.100.1/32}]"
        ),
        network("name: a, addresses: [203.0.113.5/32], routes: [{to: default, via: 198.51.100.1, onlink: true}]"),
        network("name: a, addresses: ['2001:db8::5/128'], routes: [{to: default, via: 'fe80::1'}]"),
        network("name: a, addresses: ['2001:db8::5/128'], routes: [{to: default, via: '2001:db8:1::1', onlink: true}]"),
        network("name: lo, addresses: [10.255.0.1/32, '2001:db8::1/128']"),
        network("name: a, mtu: 576, addresses: [192.0.2.3/24]"),
        network("name: a, addresses: [192.0.2.3/255.255.255.0], routes: [{to: default, via: 192.0.2.1}]"),
        network(
            "name: a, addresses: [192.0.2.3/24], "
            "routes: [{to: default, via: 192.0.2.1}, {to: default, via: 'fe80::1'}]",
            "name: b, addresses: [198.51.100.3/24], routes: [{to: default, via: 198.51.100.1, metric: 9}]",
            "name: c, namespace: n, addresses: [192.0.2.9/24], routes: [{to: default, via: 192.0.2.1}]",
            more=", namespaces: [{name: n}]",
        ),
        network(
            f"name: w, wireguard: {{peers: [{{publicKey: {KEY}, allowedIPs: [10.8.0.0/24]}}]}}, "
            "routes: [{to: 10.9.0.0/16, via: 10.8.0.1}]"
        ),
        network("name: a, dhcp: both, mtu: 1280, metric: 100"),
        network("name: lan, addresses: [192.0.2.3/31], routes: [{to: default, via: 192.0.2.2}]"),
        network("name: lan, addresses: ['2001:db8::3/64'], routes: [{to: default, via: 'fe80::1'}]"),
        network("name: v, vlan: {parent: lan, id: 5}, addresses: [192.0.2.3/24]", "name: lan"),
        network("name: b, bond: {members: [c, d], mode: 802.3ad}, dhcp: ipv4", "name: c", "name: d"),
        network(f"name: w, wireguard: {{peers: [{{publicKey: {KEY}, endpoint: '[2001:db8::1]:51820'}}]}}"),
    ],
)
def test_what_is_right(text: str) -> None:
    assert findings(text) == []


def test_a_later_file_adds_interfaces_and_replaces_the_rest() -> None:
    first = Source("a.yml", network("name: a", more=", dns: {servers: [192.0.2.1]}, onFailure: halt"))
    second = Source("b.yml", network("name: b9", more=", dns: {servers: [192.0.2.2]}"))
    merged = load_all((first, second))[0].network
    assert merged is not None
    assert merged.interfaces is not None
    assert merged.dns is not None
    assert [i.name for i in merged.interfaces] == ["a", "b9"]
    assert (merged.dns.servers, merged.on_failure) == (("192.0.2.2",), "halt")
    assert str(merged.origin.at("interfaces", 1)).startswith("b.yml")
    assert str(merged.origin.at("interfaces", 0)).startswith("a.yml")


def test_the_network_needs_no_step_that_brings_it_up() -> None:
    text = "kernel: {image: k}\nservices: [{name: s, image: i, net: host}]\n"
    assert [d.code for d in findings(text)] == ["F052"]
    assert findings(text + network("name: lan, dhcp: ipv4")) == []
