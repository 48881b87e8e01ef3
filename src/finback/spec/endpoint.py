"""Networks between services, laid out: which namespace has which interface, and which address.

All of it follows from the file, so that two builds agree, and names can be written down before the machine starts. The
words are libnetwork's Container Network Model: a namespace is its sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_network

from finback.spec.model import Item, Spec
from finback.spec.networking import NamedNetwork

PORT = re.compile(r"(?:([0-9]{1,5}):)?([0-9]{1,5})(?:/(tcp|udp))?\Z")
FOLDER = "/run/netns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The plug of a namespace into a network."""

    namespace: str
    network: NamedNetwork
    interface: str
    """Its name in the namespace."""
    number: int
    """Of the plug, over all networks."""
    address: IPv4Interface | None = None
    """None: a CNI plug-in decides."""
    address6: IPv6Interface | None = None


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the machine that leads to a service."""

    host: int
    service: int
    protocol: str = "tcp"


def namespace_of(item: Item, spec: Spec) -> str | None:
    """The named namespace that *item* runs in."""
    if item.networks:
        return item.name
    named = {n.name for n in (spec.network.namespaces if spec.network else None) or ()}
    return item.net if item.net in named else None


def namespaces(spec: Spec) -> dict[str, tuple[str, ...]]:
    """The names of all namespaces, with the networks that each is part of."""
    named = (spec.network.namespaces if spec.network else None) or ()
    out = {n.name: n.networks or () for n in named}
    out |= {s.name: s.networks for s in spec.services or () if s.networks}
    return out


def subnet(network: NamedNetwork, place: int) -> IPv4Network:
    """The IPv4 network of *network*, which has that place in its list.

    Raises:
        ValueError: it is none.

    """
    return IPv4Network(network.subnet or f"10.89.{place % 256}.0/24")


def subnet6(network: NamedNetwork) -> IPv6Network | None:
    """Its IPv6 network.

    Raises:
        ValueError: it is none.

    """
    return IPv6Network(network.subnet6) if network.subnet6 else None


def endpoints(spec: Spec) -> Iterator[Endpoint]:
    """All plugs, by namespace. Networks that do not exist are passed over.

    Raises:
        ValueError: a subnet is none, or too small.

    """
    known = {n.name: (i, n) for i, n in enumerate((spec.network.networks if spec.network else None) or ())}
    used = dict.fromkeys(known, 1)
    number = 0
    for namespace, names in namespaces(spec).items():
        for i, name in enumerate(n for n in names if n in known):
            place, network = known[name]
            used[name] += 1
            found = Endpoint(namespace=namespace, network=network, interface=f"eth{i}", number=number)
            yield found if network.driver == "cni" else _addressed(found, place, used[name])
            number += 1


def _addressed(found: Endpoint, place: int, index: int) -> Endpoint:
    net, net6 = subnet(found.network, place), subnet6(found.network)
    if index >= net.num_addresses - 1:
        raise ValueError(f"{net} has no address left for {found.namespace}")
    return Endpoint(
        namespace=found.namespace,
        network=found.network,
        interface=found.interface,
        number=found.number,
        address=IPv4Interface(f"{net[index]}/{net.prefixlen}"),
        address6=IPv6Interface(f"{net6[index]}/{net6.prefixlen}") if net6 is not None else None,
    )


def port(text: str) -> Port | None:
    """The port that *text* is, or None."""
    found = PORT.match(text)
    numbers = [int(n) for n in (found[1] or found[2], found[2])] if found else [0]
    if not found or not all(0 < n < 65536 for n in numbers):
        return None
    return Port(numbers[0], numbers[1], found[3] or "tcp")


def is_subnet(text: str) -> bool:
    """Whether *text* is a network, without bits for its machines."""
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
