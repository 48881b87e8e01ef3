"""Networks between services, compiled: namespaces, bridges, cables, names, and the rules of nftables.

Source: ip-netns(8), ip-link(8); nft(8).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from finback.resolve.sections._link import command
from finback.spec.endpoint import Endpoint, Port, endpoints, namespace_of, namespaces, port, subnet, subnet6
from finback.spec.model import Spec
from finback.spec.networking import NamedNetwork, Networking

HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
DRIVERS = ("bridge", "veth")
# What nft's rules for address translation need.
NAT = ("nf_tables", "nft_chain_nat", "nft_ct", "nft_masq", "nft_nat", "nft_fib_inet")


def drivers(spec: Spec) -> tuple[str, ...]:
    """What the kernel must have."""
    plugs = [e for e in endpoints(spec) if e.address is not None]
    return (*DRIVERS, *NAT) if plugs else ()


def set_up(spec: Spec) -> list[str]:
    """Lines of `setup`."""
    network = spec.network or Networking()
    lines = [command("make_namespace", name) for name in namespaces(spec)]
    for place, own in enumerate(network.networks or ()):
        if own.driver != "cni":
            net, net6 = subnet(own, place), subnet6(own)
            first = [f"{net[1]}/{net.prefixlen}", *([f"{net6[1]}/{net6.prefixlen}"] if net6 is not None else [])]
            lines.append(command("make_network", own.name, *first))
    way_out: set[str] = set()
    for plug in endpoints(spec):
        if plug.address is None:
            continue
        own = plug.network
        addresses = [str(a) for a in (plug.address, plug.address6) if a is not None]
        lines.append(command("plug", plug.namespace, own.name, plug.interface, f"veth-{plug.number}", *addresses))
        if not own.internal and plug.namespace not in way_out:
            way_out.add(plug.namespace)
            routers = [str(a.network[1]) for a in (plug.address, plug.address6) if a is not None]
            lines.append(command("way_out", plug.namespace, *routers))
    return lines


def hosts(spec: Spec) -> dict[str, str]:
    """For each namespace the names of all that it shares a network with, in the form of /etc/hosts."""
    plugs = [e for e in endpoints(spec) if e.address is not None]
    out = {}
    for name in namespaces(spec):
        mine = [e.network.name for e in plugs if e.namespace == name]
        # Its own first: that is how it is called by itself.
        near = sorted((e for e in plugs if e.network.name in mine), key=lambda e: e.namespace != name)
        rows = [f"{a.ip}\t{' '.join(called(e.namespace, spec))}" for e in near for a in (e.address, e.address6) if a]
        out[name] = HOSTS + "".join(f"{r}\n" for r in rows)
    return out


def called(namespace: str, spec: Spec) -> list[str]:
    """The names of *namespace*: its own, and those of the services in it."""
    return list(
        dict.fromkeys((namespace, *(s.name for s in spec.services or () if namespace_of(s, spec) == namespace)))
    )


def rules(spec: Spec) -> str:
    """What nft(8) reads: nobody comes into a network but by a port; what goes out has the machine's address."""
    network = spec.network or Networking()
    own = [(i, n) for i, n in enumerate(network.networks or ()) if n.driver != "cni"]
    if not own:
        return ""
    ports = list(_ports(spec))
    lines = ["table inet finback", "delete table inet finback", "table inet finback {"]
    lines += ["\tchain forward {", "\t\ttype filter hook forward priority filter; policy accept;"]
    lines += ["\t\tct state established,related accept"]
    lines += [f'\t\tiifname "{n.name}" oifname "{n.name}" accept' for _, n in own]
    lines += [f'\t\tiifname "{n.name}" drop' for _, n in own if n.internal]
    lines += [f'\t\toifname "{n.name}" ct status dnat accept' for _, n in own if not n.internal]
    lines += [*(f'\t\toifname "{n.name}" drop' for _, n in own), "\t}"]
    lines += ["\tchain postrouting {", "\t\ttype nat hook postrouting priority srcnat; policy accept;"]
    lines += [*(line for i, n in own if not n.internal for line in _masquerade(i, n)), "\t}"]
    for chain, hook in (("prerouting", "prerouting priority dstnat"), ("output", "output priority -100")):
        lines += [f"\tchain {chain} {{", f"\t\ttype nat hook {hook}; policy accept;"]
        lines += [*(f"\t\t{line}" for line in ports), "\t}"]
    return "\n".join([*lines, "}", ""])


def _masquerade(place: int, own: NamedNetwork) -> Iterator[str]:
    for family, net in (("ip", subnet(own, place)), ("ip6", subnet6(own))):
        if net is not None:
            yield f'\t\t{family} saddr {net} oifname != "{own.name}" masquerade'


def _ports(spec: Spec) -> Iterator[str]:
    """A rule for each port and family. The machine's own 127.0.0.1 leads nowhere else."""
    plugs = [e for e in endpoints(spec) if e.address is not None and not e.network.internal]
    for namespace, found in _published(spec):
        plug = next((e for e in plugs if e.namespace == namespace), None)
        if plug is None or plug.address is None:
            continue
        to = f"{found.protocol} dport {found.host} dnat"
        yield f"fib daddr type local ip daddr != 127.0.0.0/8 {to} ip to {plug.address.ip}:{found.service}"
        if plug.address6 is not None:
            yield f"fib daddr type local ip6 daddr != ::1 {to} ip6 to [{plug.address6.ip}]:{found.service}"


def _published(spec: Spec) -> Iterator[tuple[str, Port]]:
    for service in spec.services or ():
        namespace = namespace_of(service, spec)
        for found in filter(None, map(port, service.ports or ())):
            if namespace is not None:
                yield namespace, found


def plugins(spec: Spec) -> str:
    """A line for each plug that CNI plug-ins make: namespace, its names, network, interface, list, ports as JSON."""
    out = []
    for plug in endpoints(spec):
        if plug.address is None:
            ports = [
                {"hostPort": p.host, "containerPort": p.service, "protocol": p.protocol}
                for n, p in _published(spec)
                if n == plug.namespace
            ]
            names = ",".join(called(plug.namespace, spec))
            out.append(f"{plug.namespace} {names} {_row(plug)} {json.dumps(ports, separators=(',', ':'))}\n")
    return "".join(out)


def _row(plug: Endpoint) -> str:
    name = plug.network.name
    return f"{name} {plug.interface} {plug.network.conflist or f'/etc/cni/net.d/{name}.conflist'}"
