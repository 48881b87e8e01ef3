"""The fixed address of a guest, from its file: forwarded ports must lead there, and the network must be the guest's."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address, ip_interface

from finback.backends import GuestAddress
from finback.spec.model import Spec
from finback.spec.networking import Link

# The longest prefix of a network in which router, name server and the first lease have room beside the guest.
LONGEST = 28


def fixed_address(spec: Spec | None) -> GuestAddress | None:
    """The IPv4 address that the file gives to the machine's first card; None when DHCP does, or nothing is said."""
    if spec is None or spec.network is None:
        return None
    servers = list((spec.network.dns.servers if spec.network.dns else None) or ())
    for link in spec.network.interfaces or ():
        # Of these, nothing is on the first card's network; a bridge or bond may be what has the card's address.
        if link.name == "lo" or link.namespace or link.vlan or link.wireguard or link.veth or link.dummy:
            continue
        if link.dhcp in ("ipv4", "both"):
            return None
        for text in link.addresses or ():
            interface = ip_interface(text)
            if isinstance(interface, IPv4Interface):
                return network_of(interface, _router(link), servers)
    return None


def network_of(
    interface: IPv4Interface, router: IPv4Address | None = None, servers: list[str] | None = None
) -> GuestAddress:
    """The network in which a guest has the address *interface*: it holds the *router*, and has a name server."""
    network = IPv4Network(f"{interface.ip}/{min(LONGEST, interface.network.prefixlen)}", strict=False)
    while router is not None and router not in network and network.prefixlen:
        network = network.supernet()
    taken = [interface.ip]
    first = int(network.network_address)

    def free() -> IPv4Address:
        # As QEMU's own network has them: .2, .3 and so on.
        found = next(a for n in range(2, 16) if (a := IPv4Address(first + n)) not in taken)
        taken.append(found)
        return found

    if router is not None:
        taken.append(router)
    known = (IPv4Address(s) for s in servers or () if isinstance(ip_address(s), IPv4Address))
    server = next((s for s in known if s in network and s not in taken), None)
    if server is not None:
        taken.append(server)
    return GuestAddress(
        address=str(interface.ip),
        network=str(network),
        length=interface.network.prefixlen,
        router=str(router or free()),
        server=str(server or free()),
        lease=str(free()),
    )


def _router(link: Link) -> IPv4Address | None:
    for route in link.routes or ():
        if route.to == "default" and route.via:
            via = ip_address(route.via)
            if isinstance(via, IPv4Address):
                return via
    return None
