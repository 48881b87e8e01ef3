"""The machine's network and the networks between its services: the part of the model that becomes the step `network`.

LinuxKit knows none of these keys; without them a file brings up its network by its own steps (docs/how-to/network.md).
Addresses are written as ip-address(8) has them, `192.0.2.10/24`. Times are in whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from finback.ground.source import Origin, origin
from finback.spec.limit import key
from finback.spec.supervision import FailurePolicy

DHCP = Literal["ipv4", "ipv6", "both"]
BondMode = Literal[
    "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"
]  # fmt: skip
HashPolicy = Literal["layer2", "layer2+3", "layer3+4", "encap2+3", "encap3+4", "vlan+srcmac"]
Driver = Literal["bridge", "cni"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which device an interface is: the first one, in the kernel's order, that fulfils all of this and that no other
    interface has taken, where exact rules go before loose ones. The interface's name becomes the device's.
    """

    name: str | None = None
    """The kernel's name for it, as a glob pattern: `en*`."""
    mac: str | None = None
    """Its hardware address: `52:54:00:12:34:56`."""
    driver: str | None = None
    """Name of its driver, as a glob pattern: `virtio_net`, `e1000*`."""
    first: bool | None = None
    """`true`: any device that hangs on a bus, which software ones do not."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A way to a network."""

    to: str
    """The network, `198.51.100.0/24`, or `default`."""
    via: str | None = None
    """Address of the next router. Default: the network is reached directly, which also makes it a place where routers
    of other routes may be: `{to: 198.51.100.1/32}` before `{to: default, via: 198.51.100.1}`."""
    onlink: bool | None = None
    """The router is on this link, whatever the addresses say. Default: false."""
    metric: int | None = None
    """The lower, the rather. Default: the kernel's."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class VLAN:
    """A VLAN of another interface (IEEE 802.1Q)."""

    parent: str
    """The interface whose tagged frames these are."""
    id: int
    """1 to 4094."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bond:
    """Several interfaces that act as one."""

    members: tuple[str, ...]
    """Interfaces, each in its own entry without addresses."""
    mode: BondMode | None = None
    """Default: active-backup, which needs nothing of the switch."""
    primary: str | None = None
    """The member that is used while it works."""
    miimon: int | None = None
    """Milliseconds between looks at the members' carriers. Default: 100."""
    hash: HashPolicy | None = None
    """What decides which member a packet takes, where the mode asks that. Default: layer2."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A switch between interfaces."""

    members: tuple[str, ...] | None = None
    """Interfaces, each in its own entry without addresses. Default: none."""
    stp: bool | None = None
    """Speak the spanning tree protocol, where there may be loops. Default: false."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Another end of a WireGuard interface."""

    public_key: str = field(metadata={"key": "publicKey"})
    """Its key, as `wg pubkey` prints it."""
    allowed_ips: tuple[str, ...] | None = key("allowedIPs")
    """Networks behind it; each but the default route becomes a route. Default: none."""
    endpoint: str | None = None
    """Where it is: `HOST:PORT`. Default: it speaks first."""
    keepalive: int | None = None
    """Seconds between signs of life, for peers behind address translation. Default: none."""
    preshared_key: str | None = key("presharedKey")
    """The secret, by its name in `secrets`, that both ends share besides. Default: none."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class WireGuard:
    """An encrypted tunnel. With neither `secret` nor `keyFile`, the key is made on the machine, in
    /var/lib/wireguard/NAME.key; it lasts as long as that folder does. The console shows the public key.
    """

    secret: str | None = None
    """The secret, by its name in `secrets`, that is the private key."""
    key_file: str | None = key("keyFile")
    """File of the machine that holds the private key; it is made there if it is missing."""
    port: int | None = None
    """UDP port. Default: any."""
    peers: tuple[Peer, ...] | None = None
    """The other ends."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Veth:
    """Two ends of a cable. The other end may have an entry of its own, without `match`."""

    peer: str
    """Name of the other end."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An interface: a device of the machine, or made by `vlan`, `bond`, `bridge`, `wireguard`, `veth` or `dummy`."""

    name: str
    """What it is called, at most 15 characters. `lo` can have `addresses`, and nothing else."""
    match: Match | None = None
    """Which device it is. Default: the one of that name."""
    vlan: VLAN | None = None
    """A VLAN of another interface."""
    bond: Bond | None = None
    """Several interfaces that act as one."""
    bridge: Bridge | None = None
    """A switch between interfaces."""
    wireguard: WireGuard | None = None
    """An encrypted tunnel."""
    veth: Veth | None = None
    """One end of a cable whose ends are both here."""
    dummy: bool | None = None
    """`true`: leads nowhere; a place for addresses."""
    mac: str | None = None
    """Hardware address to give it. Default: its own."""
    mtu: int | None = None
    """Bytes of a packet, at most. Default: the kernel's, for WireGuard 1420."""
    addresses: tuple[str, ...] | None = None
    """IPv4 and IPv6 addresses with their networks' lengths: `192.0.2.10/24`."""
    dhcp: DHCP | None = None
    """Ask for addresses: `ipv4` by DHCP, `ipv6` by router advertisements and DHCPv6, `both`. Default: don't."""
    routes: tuple[Route, ...] | None = None
    """Ways to other networks, in any order."""
    metric: int | None = None
    """Metric of the routes that `dhcp` brings; the lower, the rather. Default: by the order of the interfaces."""
    timeout: int | None = None
    """Seconds to wait for the device, and then for the DHCP server's answer. Default: 30."""
    required: bool | None = None
    """Whether the step fails without it: `onFailure` of `network` says what then happens. Default: true."""
    namespace: str | None = None
    """The named namespace that it is moved into. Default: the machine's network."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class DNS:
    """Name servers, instead of those that DHCP says."""

    servers: tuple[str, ...] | None = None
    """Their addresses, three at the most."""
    search: tuple[str, ...] | None = None
    """Domains that names without a dot are looked up in."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedNetwork:
    """A network between services, inside the machine. They reach each other by name and by address; nobody else reaches
    them, except at their `ports`.
    """

    name: str
    """What services call it in their `networks`, and what its bridge is called; at most 15 characters."""
    driver: Driver | None = None
    """`bridge`: a bridge of the machine. `cni`: what a list of CNI plug-ins makes. Default: bridge."""
    subnet: str | None = None
    """Its IPv4 network, of which the machine has the first address, and services the next ones, in the order of the
    file. Default: 10.89.N.0/24, N by its place in the list."""
    subnet6: str | None = None
    """Its IPv6 network. Default: none."""
    internal: bool | None = None
    """Services have no way out of it, and no ports. Default: false."""
    conflist: str | None = None
    """With `cni`: the list's path in the machine, where `files` puts it. Default: /etc/cni/net.d/NAME.conflist."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A network namespace that services share: each with `net: NAME` has the same interfaces, addresses and ports."""

    name: str
    """Its name, and its path: /run/netns/NAME."""
    networks: tuple[str, ...] | None = None
    """Networks that it is part of. Default: none."""
    origin: Origin = origin()


@dataclass(frozen=True, slots=True, kw_only=True)
class Networking:
    """The machine's network, as a step before `onboot` sets it up, and a service that goes on leasing."""

    interfaces: tuple[Link, ...] | None = None
    """Interfaces. What they are made of may stand anywhere in the list."""
    dns: DNS | None = None
    """Name servers, instead of those that DHCP says."""
    networks: tuple[NamedNetwork, ...] | None = None
    """Networks between services."""
    namespaces: tuple[Namespace, ...] | None = None
    """Network namespaces that services share."""
    on_failure: FailurePolicy | None = key("onFailure")
    """What happens when a required interface is not there or gets no answer. Default: continue."""
    origin: Origin = origin()
