from __future__ import annotations

import pytest

from finback.ground.diagnostic import Diagnostic, Severity
from finback.ground.source import Source
from finback.spec.check import check
from finback.spec.decode import load
from finback.spec.endpoint import endpoints, port
from finback.spec.model import Spec


def spec(text: str) -> Spec:
    return load(Spec, Source("t.yml", text))


def findings(text: str) -> list[Diagnostic]:
    return list(check(spec(text)))


def system(networks: str, *services: str, more: str = "") -> str:
    items = (f"{{name: {n}, image: i, {s}}}" for n, s in zip("abcdef", services, strict=False))
    return f"network: {{networks: [{networks}]{more}}}\nservices: [{', '.join(items)}]"


WRONG = [
    (system("{name: n}", "networks: [m]"), "F076", "{name: m}"),
    (system("{name: front}", "networks: [frnt]"), "F076", "did you mean front"),
    (system("{name: n}", "networks: [n, n]"), "F077", "remove one"),
    (system("{name: n}", "networks: [n], net: host"), "F077", "keep `networks`"),
    (system("{name: n}, {name: n}", "networks: [n]"), "F070", "rename"),
    (system("{name: 'a b'}"), "F070", "letters"),
    (system("{name: n, subnet: 10.0.0.1/24}"), "F071", "10.90.0.0/24"),
    (system("{name: n, subnet: 'fd00::/64'}"), "F071", "10.90.0.0/24"),
    (system("{name: n, subnet6: 10.0.0.0/24}"), "F071", "fd00:90::/64"),
    (system("{name: n, subnet: 10.0.0.0/24}, {name: m, subnet: 10.0.0.128/25}"), "F072", "its own"),
    (system("{name: n}", more=", interfaces: [{name: l, addresses: [10.89.0.9/16]}]"), "F072", "its own"),
    (system("{name: n, subnet: 10.0.0.0/30}", "networks: [n]", "networks: [n]"), "F072", "larger"),
    (system("{name: n, conflist: /etc/cni/x}"), "F077", "remove"),
    (system("{name: n, driver: cni, conflist: /x}"), "F077", "/etc/cni/"),
    (system("{name: n, driver: cni, subnet: 10.0.0.0/24}"), "F077", "plug-ins"),
    (system("{name: n}", "ports: ['80']"), "F077", "--publish"),
    (system("{name: n}", "net: new, ports: ['80']"), "F077", "networks"),
    (system("{name: n}", "networks: [n], ports: ['0:80']"), "F077", "8080:80"),
    (system("{name: n}", "networks: [n], ports: ['80:80:80']"), "F077", "8080:80"),
    (system("{name: n}", "networks: [n], ports: ['80']", "networks: [n], ports: ['80:8']"), "F077", "another port"),
    (system("{name: n}", "networks: [n]", more=", namespaces: [{name: a}]"), "F070", "rename"),
    (system("{name: n}", more=", namespaces: [{name: x, networks: [m]}]"), "F076", "{name: m}"),
    (system("{name: n}", more=", interfaces: [{name: l, dummy: true, namespace: x}]"), "F076", "namespaces"),
    (system("{name: n}", "net: pood", more=", namespaces: [{name: pod}]"), "F047", "did you mean pod"),
    ("onboot: [{name: s, image: i, networks: [n]}]\nnetwork: {networks: [{name: n}]}", "F060", "services"),
    ("services: [{name: s, image: i, secrets: [x]}]", "F079", "{name: x}"),
    ("secrets: [{name: password}]\nservices: [{name: s, image: i, secrets: [pasword, password]}]", "F079", "password"),
    ("secrets: [{name: a/b}]\nservices: [{name: s, image: i, secrets: [a/b]}]", "F078", "28"),
    ("secrets: [{name: a}, {name: a}]\nservices: [{name: s, image: i, secrets: [a]}]", "F078", "remove"),
    ("secrets: [{name: a, sealed: {disk: d}}]\nservices: [{name: s, image: i, secrets: [a]}]", "F014", "declare"),
    (
        """secrets: [{name: a, sealed: {disk: d, pcrs: [24]}}]
disks: [{name: d}]
services: [{name: s, image: i, secrets: [a]}]""",
        "F011",
        "0 to 23",
    ),
    ("secrets: [{name: a, mode: rw}]\nservices: [{name: s, image: i, secrets: [a]}]", "F078", "0400"),
]


@pytest.mark.parametrize(("text", "code", "remedy"), WRONG, ids=[f"{c}-{i}" for i, (_, c, _) in enumerate(WRONG)])
def test_what_is_wrong(text: str, code: str, remedy: str) -> None:
    (found,) = findings(text)
    assert (found.code, found.severity) == (code, Severity.ERROR)
    assert remedy in found.help
    assert found.span is not None


@pytest.mark.parametrize(
    "text",
    ["secrets: [{name: unused}]", system("{name: n, internal: true}", "networks: [n], ports: ['80']")],
)
def test_what_is_doubtful(text: str) -> None:
    (found,) = findings(text)
    assert (found.code, found.severity) == ("F075", Severity.WARNING)


def test_what_is_right() -> None:
    text = system(
        "{name: n}, {name: m, internal: true, subnet6: 'fd00::/64'}, {name: c, driver: cni}",
        "networks: [n, m], ports: ['8080:80', '53/udp', '53/tcp']",
        "net: pod, ports: ['81'], secrets: [s]",
        more=", namespaces: [{name: pod, networks: [n]}], interfaces: [{name: d, dummy: true, namespace: pod}]",
    )
    assert findings(text + "\nsecrets: [{name: s}]") == []


def test_addresses_follow_the_order_of_the_file() -> None:
    text = system(
        "{name: n}, {name: m, subnet: 10.1.0.0/16, subnet6: 'fd00::/64'}",
        "networks: [n, m]",
        "networks: [m]",
        more=", namespaces: [{name: pod, networks: [m]}]",
    )
    found = [(e.namespace, e.network.name, e.interface, str(e.address), str(e.address6)) for e in endpoints(spec(text))]
    assert found == [
        ("pod", "m", "eth0", "10.1.0.2/16", "fd00::2/64"),
        ("a", "n", "eth0", "10.89.0.2/24", "None"),
        ("a", "m", "eth1", "10.1.0.3/16", "fd00::3/64"),
        ("b", "m", "eth0", "10.1.0.4/16", "fd00::4/64"),
    ]


def test_ports() -> None:
    assert [(p.host, p.service, p.protocol) if (p := port(t)) else None for t in ("80", "1:2/udp", "x", "65536")] == [
        (80, 80, "tcp"),
        (1, 2, "udp"),
        None,
        None,
    ]
