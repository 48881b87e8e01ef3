from __future__ import annotations

from finback.ground.source import Source
from finback.resolve.sections import Addition, adapted, addition
from finback.spec.decode import load
from finback.spec.model import Item, Settings, Spec

TEXT = """\
network:
  networks: [{name: n, subnet6: "fd00::/64"}, {name: m, internal: true}, {name: c, driver: cni}]
  namespaces: [{name: pod, networks: [n]}]
secrets: [{name: s}]
services:
  - {name: a, image: i, networks: [m, n], ports: ["8080:80"], secrets: [s]}
  - {name: b, image: i, net: pod}
  - {name: d, image: i, networks: [c], ports: ["53/udp"], binds: ["/x:/etc/hosts"]}
"""


def spec() -> Spec:
    return load(Spec, Source("t.yml", TEXT))


def found() -> Addition:
    return addition(spec())


def texts() -> dict[str, str]:
    return {t.path: t.contents for t in found().texts}


def test_the_steps_and_their_order() -> None:
    assert [i.name for i in found().early] == ["secrets", "network", "cni"]
    assert {"bridge", "veth", "nft_masq"} <= {d.name for d in found().drivers}


def test_namespaces_networks_and_plugs() -> None:
    lines = texts()["network/setup"].splitlines()
    assert lines[1:] == [
        "make_namespace pod",
        "make_namespace a",
        "make_namespace d",
        "make_network n 10.89.0.1/24 fd00::1/64",
        "make_network m 10.89.1.1/24",
        "plug pod n eth0 veth-0 10.89.0.2/24 fd00::2/64",
        "way_out pod 10.89.0.1 fd00::1",
        "plug a m eth0 veth-1 10.89.1.2/24",
        "plug a n eth1 veth-2 10.89.0.3/24 fd00::3/64",
        "way_out a 10.89.0.1 fd00::1",
        "rename_found",
        "finish_leases",
    ]


def test_names_are_those_of_networks_that_are_shared() -> None:
    assert texts()["network/hosts/pod"].splitlines()[2:] == [
        "10.89.0.2\tpod b",
        "fd00::2\tpod b",
        "10.89.0.3\ta",
        "fd00::3\ta",
    ]
    assert texts()["network/hosts/d"].splitlines()[2:] == []


def test_rules() -> None:
    rules = texts()["network/nftables.conf"]
    for line in (
        'iifname "m" drop',
        'oifname "n" ct status dnat accept',
        'ip saddr 10.89.0.0/24 oifname != "n" masquerade',
        'ip6 saddr fd00::/64 oifname != "n" masquerade',
        "fib daddr type local ip daddr != 127.0.0.0/8 tcp dport 8080 dnat ip to 10.89.0.3:80",
        "fib daddr type local ip6 daddr != ::1 tcp dport 8080 dnat ip6 to [fd00::3]:80",
    ):
        assert f"\t\t{line}\n" in rules
    assert 'oifname "m" ct status' not in rules
    assert "10.89.1.0/24" not in rules


def test_plug_ins_of_cni() -> None:
    port = '[{"hostPort":53,"containerPort":53,"protocol":"udp"}]'
    assert texts()["network/cni"] == f"d d c eth0 /etc/cni/net.d/c.conflist {port}\n"


def test_containers_join_and_see_what_is_theirs() -> None:
    def settings(item: Item) -> tuple[str | None, tuple[str, ...] | None]:
        made = adapted(spec(), item, Settings(net=item.net, binds=item.binds))
        return made.net, made.binds

    a, b, d = spec().services or ()
    resolver = "/run/resolvconf/resolv.conf:/etc/resolv.conf:ro"
    assert settings(a) == (
        "/run/netns/a",
        ("/run/finback/secrets/a:/run/secrets:ro", "/run/finback/hosts/a:/etc/hosts:ro", resolver),
    )
    assert settings(b) == ("/run/netns/pod", ("/run/finback/hosts/pod:/etc/hosts:ro", resolver))
    assert settings(d) == ("/run/netns/d", ("/x:/etc/hosts", resolver))
