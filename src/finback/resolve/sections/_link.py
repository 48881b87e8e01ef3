"""Interfaces compiled to shell: commands of iproute2 and the functions of the component `network`.

Each interface is a function of the shell whose commands end at the first that fails, so that one interface does not
keep another from being set up.

Source: ip-link(8), ip-address(8), ip-route(8), wg(8).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from graphlib import TopologicalSorter

from finback.spec.networked import made_of
from finback.spec.networking import Bond, Link, Match, Networking, WireGuard

SECONDS = 30
LOOPBACK = "lo"
KEYS = "/var/lib/wireguard"
SECRETS = "/run/finback/credentials"
WIREGUARD_MTU = 1420
ADDRESSES = re.compile(r"[0-9.]+:|\[")
# The driver that makes each kind of interface.
DRIVERS = {
    "vlan": "8021q", "bond": "bonding", "bridge": "bridge", "wireguard": "wireguard", "veth": "veth", "dummy": "dummy",
}  # fmt: skip


def kind(link: Link) -> str:
    """What *link* is: a key of `DRIVERS`, or "device"."""
    return next((k for k in DRIVERS if getattr(link, k)), "device")


def _before(link: Link, links: Iterable[Link]) -> list[str]:
    """Which of *links* must be there before *link*."""
    names = made_of(link)
    cables = [k.name for k in links if k.veth is not None and k.veth.peer == link.name]
    return [k.name for k in links if k.name in names] + cables


def _members(link: Link) -> tuple[str, ...]:
    """The interfaces that *link* takes in."""
    return () if link.vlan is not None else made_of(link)


def set_up(network: Networking) -> list[str]:
    """Lines of `setup`, which the component `network` reads."""
    links = {link.name: link for link in network.interfaces or ()}
    order = list(TopologicalSorter({n: _before(k, links.values()) for n, k in links.items()}).static_order())
    ends = {link.veth.peer for link in links.values() if link.veth is not None}
    searched = [link for n, link in links.items() if kind(link) == "device" and n not in (*ends, LOOPBACK)]
    lines = [_finding(link) for link in sorted(searched, key=_exactness)]
    lines.append("rename_found")
    taken = {m for link in links.values() for m in _members(link)}
    late: list[str] = []
    waiting: list[str] = []
    for number, name in enumerate(order):
        link = links[name]
        steps = [*_making(link), *_addressing(link, up=name not in taken)]
        made = [f"link_{number}() {{", *_joined(steps), "}", f"configure {name} {_need(link)} link_{number}"]
        if _asks_for_names(link) or any(n in late for n in _before(link, links.values())):
            late.append(name)
            waiting += made
        else:
            lines += made
    leases = {n: f"lease {n} {_need(k)} {k.timeout or SECONDS}" for n, k in links.items() if k.dhcp}
    lines += [*(line for n, line in leases.items() if n not in late), "finish_leases"]
    # Names can be looked up now.
    lines += [*waiting, *(line for n, line in leases.items() if n in late)]
    return [*lines, "finish_leases"] if late else lines


def _asks_for_names(link: Link) -> bool:
    """Whether a peer is called by a name, which only a network can tell."""
    peers = (link.wireguard.peers or ()) if link.wireguard is not None else ()
    return any(not ADDRESSES.match(p.endpoint or "0:") for p in peers)


def _need(link: Link) -> str:
    return "optional" if link.required is False else "required"


def _joined(steps: Sequence[str]) -> list[str]:
    return [f"\t{s} &&" for s in steps[:-1]] + [f"\t{s}" for s in steps[-1:]]


def command(*words: str | int) -> str:
    """A command of the shell."""
    return " ".join(shlex.quote(str(w)) for w in words)


def _exactness(link: Link) -> int:
    """Rules that only one device can fulfil go before those that many can."""
    match = link.match
    if match is None or match.mac:
        return 0
    return 2 if match.first and not (match.name or match.driver) else 1


def _finding(link: Link) -> str:
    match = link.match or Match()
    values = {"mac": (match.mac or "").lower(), "name": match.name, "driver": match.driver}
    rules = [f"{k}={v}" for k, v in values.items() if v]
    if link.match is None:
        rules = [f"name={link.name}"]
    else:
        rules.append("bus")
    return command("find_device", link.name, link.timeout or SECONDS, *rules)


def _making(link: Link) -> Iterator[str]:
    """What brings the interface about."""
    name = link.name
    if kind(link) == "device":
        yield command("there", name)
    elif link.vlan is not None:
        yield command("ip", "link", "add", "link", link.vlan.parent, "name", name, "type", "vlan", "id", link.vlan.id)
    elif link.bond is not None:
        yield from _bond(name, link.bond)
    elif link.bridge is not None:
        stp = 1 if link.bridge.stp else 0
        # With stp_state 0 there is no loop to look for, and no wait before the first frame.
        yield command("ip", "link", "add", "name", name, "type", "bridge", "stp_state", stp)
    elif link.veth is not None:
        yield command("ip", "link", "add", "name", name, "type", "veth", "peer", "name", link.veth.peer)
    else:
        yield command("make_link", name, "type", kind(link))
    if link.wireguard is not None:
        yield from _wireguard(name, link.wireguard)
    for member in _members(link):
        # A bond takes no interface that is up.
        yield command("ip", "link", "set", "dev", member, "down")
        yield command("ip", "link", "set", "dev", member, "master", name)
        yield command("ip", "link", "set", "dev", member, "up")
    if link.bond is not None and link.bond.primary:
        yield command("ip", "link", "set", "dev", name, "type", "bond", "primary", link.bond.primary)


def _bond(name: str, bond: Bond) -> Iterator[str]:
    more = ["xmit_hash_policy", bond.hash] if bond.hash else []
    mode = bond.mode or "active-backup"
    yield command("make_link", name, "type", "bond", "mode", mode, "miimon", bond.miimon or 100, *more)


def _wireguard(name: str, own: WireGuard) -> Iterator[str]:
    if own.secret:
        path = f"{SECRETS}/{own.secret}"
        yield command("have_secret", own.secret)
    else:
        path = own.key_file or f"{KEYS}/{name}.key"
        yield command("make_key", path)
    port: list[str | int] = ["listen-port", own.port] if own.port else []
    yield command("wg", "set", name, "private-key", path, *port)
    for peer in own.peers or ():
        words: list[str | int] = ["peer", peer.public_key]
        if peer.preshared_key:
            yield command("have_secret", peer.preshared_key)
            words += ["preshared-key", f"{SECRETS}/{peer.preshared_key}"]
        if peer.endpoint:
            words += ["endpoint", peer.endpoint]
        if peer.keepalive:
            words += ["persistent-keepalive", peer.keepalive]
        yield command("wg", "set", name, *words, "allowed-ips", ",".join(peer.allowed_ips or ()))
    yield command("show_key", name)


def _addressing(link: Link, *, up: bool) -> Iterator[str]:
    """What is the same for all kinds."""
    name = link.name
    mtu = link.mtu or (WIREGUARD_MTU if link.wireguard else None)
    if link.mac:
        yield command("ip", "link", "set", "dev", name, "address", link.mac)
    if mtu:
        yield command("ip", "link", "set", "dev", name, "mtu", mtu)
    if not up:
        return
    ip: tuple[str, ...] = ("ip",)
    if link.namespace:
        yield command("ip", "link", "set", "dev", name, "netns", link.namespace)
        ip = ("ip", "-n", link.namespace)
    elif link.dhcp in (None, "ipv4") and name != LOOPBACK:
        # It has the addresses that the file says, and no others.
        yield command("ignore_advertisements", name)
    yield command(*ip, "link", "set", "dev", name, "up")
    for address in link.addresses or ():
        yield command(*ip, "address", "add", address, "dev", name)
    for net in _behind(link.wireguard):
        yield command(*ip, "route", "add", net, "dev", name)
    # Routers of other routes may be where a route without one leads to.
    for route in sorted(link.routes or (), key=lambda r: r.via is not None):
        metric: list[str | int] = ["metric", route.metric] if route.metric is not None else []
        family = ["-6"] if ":" in route.to + (route.via or "") else []
        via = ["via", route.via] if route.via else []
        onlink = ["onlink"] if route.onlink and route.via else []
        yield command(*ip, *family, "route", "add", route.to, *via, "dev", name, *metric, *onlink)


def _behind(own: WireGuard | None) -> list[str]:
    peers = (own.peers or ()) if own is not None else ()
    # The default route would lead the tunnel's own packets into itself.
    return [net for peer in peers for net in peer.allowed_ips or () if not net.endswith("/0")]
