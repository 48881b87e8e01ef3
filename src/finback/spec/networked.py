"""What can be known to be wrong in `network`: names, addresses, what interfaces are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network

from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span
from finback.spec.model import Spec
from finback.spec.networking import VLAN, Link, Networking, Peer, Route, WireGuard
from finback.spec.settings import did_you_mean, problem, warning
from finback.spec.supervised import MAX_SECONDS

KINDS = ("vlan", "bond", "bridge", "wireguard", "veth", "dummy")
# The name of the step, and of the service that goes on leasing.
SERVICE = "network"
# IFNAMSIZ is 16 with the end; the kernel refuses /, : and blanks (net/core/dev.c, dev_valid_name).
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}\Z")
MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}\Z")
KEY = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=\Z")
ENDPOINT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})\Z")
LEAST_MTU, LEAST_MTU6, MOST_MTU = 68, 1280, 65535
# What `lo` can't have.
LOOPBACK = ("match", *KINDS, "mac", "mtu", "dhcp", "routes", "namespace", "metric")
NAME_SERVERS = 3


def check_network(spec: Spec) -> Iterator[Diagnostic]:
    """All findings about the network of *spec*."""
    network = spec.network
    if network is None:
        return
    links = {link.name: link for link in network.interfaces or ()}
    yield from _unique(network.interfaces or ())
    yield from _addresses(network.interfaces or ())
    yield from _ways(network.interfaces or ())
    yield from _members(links)
    yield from _circles(links)
    for link in network.interfaces or ():
        yield from _link(link, links)
    yield from _dns(network)
    leased = any(link.dhcp for link in links.values())
    for service in spec.services or ():
        if leased and service.name == SERVICE:
            message = f"the DHCP client of `network` is the service {SERVICE!r} itself"
            yield problem("F070", message, service.origin.at("name"), "rename this service")


def _unique(links: tuple[Link, ...]) -> Iterator[Diagnostic]:
    seen: dict[str, Span | None] = {}
    for link in links:
        span = link.origin.at("name")
        if not NAME.match(link.name) or link.name in ("all", "default"):
            advice = "use at most 15 letters, digits, and . _ - after the first"
            yield problem("F070", f"{link.name!r} is not a name for an interface", span, advice)
        if link.name in seen:
            note = f"the first is at {seen[link.name]}"
            yield problem("F070", f"there are two interfaces {link.name!r}", span, "rename or remove one", note)
        seen.setdefault(link.name, span)


def _addresses(links: tuple[Link, ...]) -> Iterator[Diagnostic]:
    """Each address once in a namespace; each is one that a machine can have."""
    seen: dict[tuple[str, str], Span | None] = {}
    for link in links:
        for i, text in enumerate(link.addresses or ()):
            span = link.origin.at("addresses", i)
            found = interface(text)
            if found is None or "%" in text or not _has_length(text):
                advice = "write it with its network's length: 192.0.2.10/24, 2001:db8::10/64"
                yield problem("F071", f"{text!r} is not an address", span, advice)
                continue
            if "/" not in text:
                whole = f"{text}/{24 if found.version == 4 else 64}"
                yield problem("F071", f"{text} has no length of its network", span, f"write it such as {whole}")
            yield from _usable(text, found, span)
            if found.ip.is_loopback and link.name != "lo":
                advice = "give it to the interface `lo`"
                yield problem(
                    "F071", f"{found.ip} can't be reached on {link.name}: it is the machine itself", span, advice
                )
            key = (link.namespace or "", str(found.ip))
            if key in seen:
                yield problem("F072", f"{found.ip} is given twice", span, "remove one", f"the first is at {seen[key]}")
            seen.setdefault(key, span)


def _usable(text: str, found: IPv4Interface | IPv6Interface, span: Span | None) -> Iterator[Diagnostic]:
    """An address that a machine can have (RFC 1122, 3.2.1.3; RFC 4291, 2.7)."""
    net = found.network
    several = net.prefixlen < net.max_prefixlen - 1
    example = f"{net[1]}/{net.prefixlen}" if several else "192.0.2.10/24"
    if several and found.ip == net.network_address:
        yield problem("F071", f"{text} is the network itself", span, f"write such as {example}")
    elif several and found.version == 4 and found.ip == net.broadcast_address:
        yield problem("F071", f"{text} is the broadcast address of {net}", span, f"write such as {example}")
    elif found.ip.is_multicast or found.ip.is_unspecified or str(found.ip) == "255.255.255.255":
        yield problem("F071", f"{found.ip} can't be the address of a machine", span, f"write such as {example}")


def _has_length(text: str) -> bool:
    """Whether what stands behind the slash of *text* is a length or a netmask; Python reads inverted masks as well."""
    length = text.partition("/")[2]
    return "." not in length or str(ip_interface(text).netmask) == length


def _ways(links: tuple[Link, ...]) -> Iterator[Diagnostic]:
    """Each network has one way with each metric: Linux refuses the second (fib_table_insert, fib6_add_rt2node)."""
    seen: dict[tuple[str, str, int], Span | None] = {}
    for link in links:
        for i, text in enumerate(link.addresses or ()):
            found = interface(text)
            # Linux adds the way itself, for IPv6 with a metric of its own.
            if found is not None and found.version == 4 and found.network.prefixlen < 32:
                seen.setdefault((link.namespace or "", str(found.network), 0), link.origin.at("addresses", i))
        for route in link.routes or ():
            target = _target(route)
            if target is None:
                continue
            metric = (route.metric or 1024) if ":" in target else (route.metric or 0)
            key = (link.namespace or "", target, metric)
            if key in seen:
                advice = "remove one, or give it another `metric`: the lowest is used"
                message = f"there are two ways to {route.to} with the same metric"
                yield problem("F072", message, route.origin.at("to"), advice, f"the first is at {seen[key]}")
            seen.setdefault(key, route.origin.at("to"))


def _target(route: Route) -> str | None:
    """The network that *route* leads to, in one spelling; None for what is none."""
    if route.to == "default":
        return "::/0" if ":" in (route.via or "") else "0.0.0.0/0"
    return str(ip_network(route.to)) if _is_network(route.to) else None


def interface(text: str) -> IPv4Interface | IPv6Interface | None:
    """The address that *text* is, or None."""
    try:
        return ip_interface(text)
    except ValueError:
        return None


def _members(links: Mapping[str, Link]) -> Iterator[Diagnostic]:
    """Interfaces that others are made of: they are there, in one other, and have nothing of their own."""
    taken: dict[str, str] = {}
    for link in links.values():
        if link.vlan is not None:
            yield from _known(link.vlan.parent, links, link.vlan.origin.at("parent"), f"the VLAN {link.name}")
        record = link.bond or link.bridge
        for i, name in enumerate((record.members if record else None) or ()):
            assert record is not None
            span = record.origin.at("members", i)
            yield from _known(name, links, span, link.name)
            if name in taken:
                yield problem("F073", f"{name} is part of {taken[name]} already", span, "an interface is part of one")
            taken.setdefault(name, link.name)
            member = links.get(name)
            key = next((k for k in ("addresses", "dhcp", "routes", "namespace") if member and getattr(member, k)), None)
            if member is not None and key is not None:
                message = f"{name} is part of {link.name}, and has `{key}` of its own"
                yield problem("F073", message, member.origin.at(key), f"move it to {link.name}")
        if link.bond is not None:
            yield from _primary(link)


def _primary(link: Link) -> Iterator[Diagnostic]:
    bond = link.bond
    assert bond is not None
    if not bond.members:
        yield problem("F073", f"{link.name} has no members", bond.origin.at("members"), "name at least one interface")
    if bond.primary is not None and bond.primary not in bond.members:
        advice = did_you_mean(bond.primary, bond.members, "name one of its members")
        yield problem("F073", f"{bond.primary} is no member of {link.name}", bond.origin.at("primary"), advice)


def _known(name: str, links: Mapping[str, Link], span: Span | None, user: str) -> Iterator[Diagnostic]:
    if name not in links:
        advice = did_you_mean(name, links, f"add it to `interfaces`: {{name: {name}}}")
        yield problem("F073", f"there is no interface {name!r}, which {user} is made of", span, advice)


def _circles(links: Mapping[str, Link]) -> Iterator[Diagnostic]:
    """Interfaces that are made of themselves: each is followed down to what it is made of."""
    for link in links.values():
        seen = [link.name]
        waiting = list(made_of(link))
        while waiting:
            name = waiting.pop()
            if name == link.name:
                yield problem("F073", f"{link.name} is made of itself", link.origin.span, "remove that")
                break
            if name in links and name not in seen:
                seen.append(name)
                waiting += made_of(links[name])


def made_of(link: Link) -> tuple[str, ...]:
    """The names of the interfaces that must be there before *link*."""
    if link.vlan is not None:
        return (link.vlan.parent,)
    record = link.bond or link.bridge
    return (record.members or ()) if record is not None else ()


def _link(link: Link, links: Mapping[str, Link]) -> Iterator[Diagnostic]:
    at = link.origin.at
    given = [k for k in ("match", *KINDS) if getattr(link, k)]
    if len(given) > 1:
        message = f"{link.name} has {' and '.join(f'`{k}`' for k in given)}"
        yield problem("F074", message, at(given[1]), "keep one of them: an interface is one thing")
    match = link.match
    if match is not None and not (match.name or match.mac or match.driver or match.first):
        advice = "add one of name, mac, driver, or `first: true`"
        yield problem("F074", f"any device matches {link.name}", match.origin.span, advice)
    for record, key in ((match, "mac"), (link, "mac")):
        text = record.mac if record is not None else None
        if record is not None and text is not None and not MAC.match(text):
            advice = "write it such as 52:54:00:12:34:56"
            yield problem("F074", f"{text!r} is not a hardware address", record.origin.at(key), advice)
        elif record is not None and text is not None and (int(text[:2], 16) & 1 or not text.strip("0:")):
            # is_valid_ether_addr in include/linux/etherdevice.h.
            advice = "write it such as 52:54:00:12:34:56; the first byte is even"
            yield problem("F074", f"{text} can't be the address of one device", record.origin.at(key), advice)
    if link.vlan is not None:
        yield from _vlan(link, link.vlan, links)
    yield from _numbers(link)
    if link.veth is not None and links.get(link.veth.peer, link).name == link.name and link.veth.peer == link.name:
        yield problem("F074", f"{link.name} is its own other end", link.veth.origin.at("peer"), "name another")
    if link.namespace and link.dhcp:
        advice = "give it `addresses`, or let it stay in the machine's network"
        yield problem("F074", f"{link.name} asks for addresses, and is in a namespace", at("dhcp"), advice)
    if link.name == "lo":
        yield from _loopback(link)
    for route in link.routes or ():
        yield from _route(route, link)
    if link.wireguard is not None:
        yield from _wireguard(link.wireguard)


def _vlan(link: Link, vlan: VLAN, links: Mapping[str, Link]) -> Iterator[Diagnostic]:
    if not 1 <= vlan.id <= 4094:
        yield problem("F074", f"{vlan.id} is not a VLAN", vlan.origin.at("id"), "write a number, 1 to 4094")
    for other in links.values():
        if other is link:
            break
        if other.vlan is not None and (other.vlan.parent, other.vlan.id) == (vlan.parent, vlan.id):
            message = f"VLAN {vlan.id} of {vlan.parent} is {other.name} already"
            yield problem("F074", message, vlan.origin.at("id"), "remove one, or write another number")
    parent = links.get(vlan.parent)
    if link.mtu is not None and parent is not None and parent.mtu is not None and link.mtu > parent.mtu:
        message = f"{link.name} can't carry more than {parent.name}, which carries {parent.mtu} bytes"
        yield problem("F074", message, link.origin.at("mtu"), f"write at most {parent.mtu}, or give {parent.name} more")


def _numbers(link: Link) -> Iterator[Diagnostic]:
    at = link.origin.at
    if link.mtu is not None and not LEAST_MTU <= link.mtu <= MOST_MTU:
        yield problem("F074", f"{link.mtu} is not an MTU", at("mtu"), f"write bytes, {LEAST_MTU} to {MOST_MTU}")
    if link.timeout is not None and not 1 <= link.timeout <= MAX_SECONDS:
        yield problem("F064", f"`timeout: {link.timeout}` is out of range", at("timeout"), "write seconds")
    yield from _small(link)
    yield from _metrics(link)


def _metrics(link: Link) -> Iterator[Diagnostic]:
    holders: tuple[Link | Route, ...] = (link, *(link.routes or ()))
    for holder in holders:
        if holder.metric is not None and not 0 <= holder.metric < 1 << 32:
            advice = "write a number from 0 to 4294967295"
            yield problem("F064", f"{holder.metric} is not a metric", holder.origin.at("metric"), advice)
    if link.metric is not None and not link.dhcp:
        advice = "write it in the routes, or remove it"
        yield warning("F075", "`metric` is of the routes that `dhcp` brings", link.origin.at("metric"), advice)


def _small(link: Link) -> Iterator[Diagnostic]:
    """IPv6 asks for links that carry 1280 bytes (RFC 8200, section 5); Linux takes addresses from smaller ones."""
    if link.mtu is None or not LEAST_MTU <= link.mtu < LEAST_MTU6:
        return
    asks = link.dhcp in ("ipv6", "both")
    has = any(i.version == 6 for i in map(interface, link.addresses or ()) if i is not None)
    leads = any(":" in (_target(r) or "") for r in link.routes or ())
    if asks or has or leads:
        message = f"{link.name} has IPv6, which needs an MTU of at least {LEAST_MTU6}"
        advice = f"write {LEAST_MTU6} or more, or leave IPv6 out"
        yield problem("F074", message, link.origin.at("mtu"), advice)


def _loopback(link: Link) -> Iterator[Diagnostic]:
    """`lo` is there in every machine, and has addresses of its own besides."""
    other = next((k for k in LOOPBACK if getattr(link, k) is not None), None)
    if other is not None:
        yield problem("F070", f"lo can have `addresses`, and no `{other}`", link.origin.at(other), "remove it")
    elif not link.addresses:
        yield problem("F070", "lo is there in any case", link.origin.at("name"), "remove it, or give it `addresses`")


def _route(route: Route, link: Link) -> Iterator[Diagnostic]:
    at = route.origin.at
    if route.to != "default" and not _is_network(route.to):
        whole = interface(route.to)
        example = whole.network if whole is not None and "%" not in route.to else "198.51.100.0/24"
        advice = f"write `default` or a network such as {example}"
        yield problem("F071", f"{route.to!r} is not a network", at("to"), advice)
    if route.via is None:
        if route.onlink:
            yield warning("F075", "`onlink` says where a router is, and there is no `via`", at("onlink"), "remove it")
        return
    try:
        via = ip_address(route.via)
    except ValueError:
        yield problem("F071", f"{route.via!r} is not an address", at("via"), "write it such as 192.0.2.1")
        return
    if "%" in route.via:
        advice = f"write {route.via.partition('%')[0]}: a route stands below its interface"
        yield problem("F071", f"{route.via!r} names an interface", at("via"), advice)
        return
    if route.to != "default" and _is_network(route.to) and ip_network(route.to).version != via.version:
        yield problem("F071", f"{route.to} and {via} are of different families", at("via"), "write a router of its own")
        return
    own = [i for i in map(interface, link.addresses or ()) if i is not None]
    if via in [i.ip for i in own]:
        yield problem("F071", f"{via} is {link.name} itself", at("via"), "write the address of the router")
        return
    ends = [a for i in own if i.network.prefixlen < 31 for a in (i.network[0], i.network[-1]) if i.version == 4]
    if via in ends or via.is_multicast or via.is_unspecified or via.is_loopback or str(via) == "255.255.255.255":
        yield problem("F071", f"{via} can't be a router", at("via"), "write the address of the router")
        return
    direct = [ip_network(r.to) for r in link.routes or () if r.via is None and _is_network(r.to)]
    peers = (link.wireguard.peers or ()) if link.wireguard is not None else ()
    behind = [ip_network(n, strict=False) for p in peers for n in p.allowed_ips or () if interface(n)]
    nets = [*(i.network for i in own), *direct, *behind]
    reached = link.dhcp or route.onlink or via.is_link_local or any(via in net for net in nets)
    if not reached:
        known = f"{link.name} reaches {', '.join(map(str, nets))}" if nets else f"{link.name} has no address"
        advice = (
            f"{known}; if the router is there all the same, add "
            f"`{{to: {via}/{via.max_prefixlen}}}` to `routes`, or write `onlink: true`"
        )
        yield problem("F071", f"{route.via} can't be reached from {link.name}", at("via"), advice)


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return "%" not in text and _has_length(text)


def _wireguard(own: WireGuard) -> Iterator[Diagnostic]:
    at = own.origin.at
    if own.secret and own.key_file:
        yield problem("F074", "there are `secret` and `keyFile`", at("keyFile"), "keep one of them")
    if own.key_file is not None and not own.key_file.startswith("/var/lib/wireguard/"):
        advice = "write a path below /var/lib/wireguard/"
        yield problem("F074", f"{own.key_file!r} is not where keys are kept", at("keyFile"), advice)
    if own.port is not None and not 0 < own.port < 65536:
        yield problem("F064", f"{own.port} is not a port", at("port"), "write a number from 1 to 65535")
    if not own.peers:
        yield warning("F075", "a tunnel without peers leads nowhere", own.origin.span, "add `peers`")
    for peer in own.peers or ():
        yield from _peer(peer)


def _peer(peer: Peer) -> Iterator[Diagnostic]:
    at = peer.origin.at
    if not KEY.match(peer.public_key):
        advice = "it is 44 characters of Base64, as `wg pubkey` prints it"
        yield problem("F074", "this is not a key of WireGuard", at("publicKey"), advice)
    found = ENDPOINT.match(peer.endpoint or "a:1")
    if not found or not 0 < int(found[2]) < 65536:
        advice = "write HOST:PORT, such as 192.0.2.1:51820 or [2001:db8::1]:51820"
        yield problem("F074", f"{peer.endpoint!r} is no endpoint", at("endpoint"), advice)
    for i, net in enumerate(peer.allowed_ips or ()):
        if not _is_network(net):
            advice = "write a network, such as 10.0.0.2/32"
            yield problem("F071", f"{net!r} is not a network", at("allowedIPs", i), advice)


def _dns(network: Networking) -> Iterator[Diagnostic]:
    dns = network.dns
    if dns is None:
        return
    servers = dns.servers or ()
    for i, text in enumerate(servers):
        try:
            ip_address(text)
        except ValueError:
            span = dns.origin.at("servers", i)
            yield problem("F071", f"{text!r} is not an address", span, "name servers are written by their addresses")
    if len(servers) > NAME_SERVERS:
        span = dns.origin.at("servers", NAME_SERVERS)
        yield warning("F075", f"programs look at the first {NAME_SERVERS} name servers only", span, "remove the others")
    if dns.search and not servers:
        advice = "add `servers`, or remove it: DHCP says both"
        yield warning("F075", "`search` has no effect without `servers`", dns.origin.at("search"), advice)
