"""`network`: a step that sets interfaces up, and a DHCP client that goes on leasing."""

from __future__ import annotations

from dataclasses import replace

from finback.ground.source import NOWHERE, Origin
from finback.resolve.plan import Driver
from finback.resolve.sections import Addition, Section, Text, _connection
from finback.resolve.sections._link import DRIVERS, kind, set_up
from finback.spec.endpoint import FOLDER as FOLDER_OF_NAMESPACES
from finback.spec.endpoint import namespace_of
from finback.spec.model import Item, Settings, Spec
from finback.spec.mount import inside, parse_bind
from finback.spec.networking import DNS, Link, Networking

NAME = "network"
IMAGE = "finback/network"
CNI_IMAGE = "finback/cni"
FOLDER = "network"
HOSTS = "/run/finback/hosts"
HEAD = "# Made of the section `network` of the spec."
DHCPCD = ("/usr/sbin/dhcpcd", "--nobackground", "-f", f"/etc/finback/{FOLDER}/dhcpcd.conf")
# What all leases have in common; the reasons are in the component `dhcpcd`.
LEASING = """\
hostname
clientid
persistent
option rapid_commit
option domain_name_servers, domain_name, domain_search, host_name
option classless_static_routes
option interface_mtu
require dhcp_server_identifier
slaac private
noarp
nodelay
script /usr/lib/finback-network-hook
"""


def add(spec: Spec) -> Addition:
    """What *spec* asks of the network."""
    network = spec.network
    if network is None:
        return Addition()
    links = network.interfaces or ()
    leased = [link for link in links if link.dhcp]
    texts = {
        "setup": "\n".join([HEAD, *_connection.set_up(spec), *set_up(network), ""]),
        "resolv.conf": _resolver(network.dns),
        "dhcpcd.conf": _leasing(leased),
        "nftables.conf": _connection.rules(spec),
        "cni": _connection.plugins(spec),
        **{f"hosts/{name}": text for name, text in _connection.hosts(spec).items()},
    }
    step = Item(name=NAME, image=IMAGE, on_failure=network.on_failure, origin=_place(network))
    plugins = Item(name="cni", image=CNI_IMAGE, on_failure=network.on_failure, origin=_place(network))
    service = Item(name=NAME, image=IMAGE, command=DHCPCD, origin=_place(network))
    return Addition(
        early=(step, plugins) if texts["cni"] else (step,),
        services=(service,) if leased else (),
        texts=tuple(Text(path=f"{FOLDER}/{n}", contents=t, origin=network.origin) for n, t in texts.items() if t),
        drivers=(*_drivers(links), *_connection_drivers(spec)),
    )


def adapt(spec: Spec, item: Item, settings: Settings) -> Settings:
    """A container in a named namespace joins that, and has its names and the machine's resolver."""
    namespace = namespace_of(item, spec)
    if namespace is None:
        return settings
    taken = {parse_bind(b).destination for b in settings.binds or ()} | {
        inside(m.destination) for m in settings.mounts or () if m.destination
    }
    more = {"/etc/hosts": f"{HOSTS}/{namespace}", "/etc/resolv.conf": "/run/resolvconf/resolv.conf"}
    binds = tuple(f"{source}:{place}:ro" for place, source in more.items() if place not in taken)
    return replace(settings, net=f"{FOLDER_OF_NAMESPACES}/{namespace}", binds=(settings.binds or ()) + binds)


def _connection_drivers(spec: Spec) -> list[Driver]:
    origin = spec.network.origin if spec.network else NOWHERE
    place = Origin(origin.at("networks"))
    return [Driver(name=n, user="a network between services", origin=place) for n in _connection.drivers(spec)]


def _place(network: Networking) -> Origin:
    # Its own keys are none of an item's.
    return Origin(network.origin.span)


def _drivers(links: tuple[Link, ...]) -> list[Driver]:
    return [
        Driver(name=DRIVERS[kind(link)], user=f"the interface {link.name}", origin=link.origin)
        for link in links
        if kind(link) in DRIVERS
    ]


def _resolver(dns: DNS | None) -> str:
    """resolv.conf(5)."""
    if dns is None or not dns.servers:
        return ""
    search = [f"search {' '.join(dns.search)}"] if dns.search else []
    return "".join(f"{line}\n" for line in [*search, *(f"nameserver {s}" for s in dns.servers)])


def _leasing(links: list[Link]) -> str:
    """dhcpcd.conf(5)."""
    if not links:
        return ""
    out = [LEASING, f"allowinterfaces {' '.join(link.name for link in links)}\n"]
    for link in links:
        # Without waitip, a client in the foreground gives up before the carrier is there.
        family = {"ipv4": "ipv4only\nwaitip 4", "ipv6": "ipv6only\nwaitip 6", "both": "waitip 4"}[link.dhcp or "both"]
        metric = f"metric {link.metric}\n" if link.metric is not None else ""
        out.append(f"interface {link.name}\n{family}\n{metric}")
    return "".join(out)


SECTION = Section(rank=30, add=add, adapt=adapt)
