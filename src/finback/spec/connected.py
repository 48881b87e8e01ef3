"""What can be known to be wrong in networks between services, and in what services say of them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from finback.ground.diagnostic import Diagnostic
from finback.ground.source import Span
from finback.spec.endpoint import endpoints, is_subnet, namespaces, port, subnet
from finback.spec.model import Item, Spec
from finback.spec.networked import NAME, interface
from finback.spec.networking import NamedNetwork, Networking
from finback.spec.settings import did_you_mean, problem, warning

# Interfaces in a namespace are few: the kernel's names for them have one digit here.
MOST = 10


def check_connections(spec: Spec) -> Iterator[Diagnostic]:
    """All findings about networks between services."""
    network = spec.network or Networking()
    names = {n.name: n for n in network.networks or ()}
    wrong = list(_networks(network))
    yield from wrong
    for namespace in network.namespaces or ():
        if not NAME.match(namespace.name) or namespace.name in ("host", "root", "none", "new"):
            advice = "use at most 15 letters, digits, and . _ - after the first"
            message = f"{namespace.name!r} is not a name for a namespace"
            yield problem("F070", message, namespace.origin.at("name"), advice)
        for i, name in enumerate(namespace.networks or ()):
            yield from _known(name, names, namespace.origin.at("networks", i))
    spaces = {n.name for n in network.namespaces or ()}
    for link in network.interfaces or ():
        if link.namespace is not None and link.namespace not in namespaces(spec):
            advice = did_you_mean(link.namespace, namespaces(spec), "add it to `namespaces`")
            yield problem("F076", f"there is no namespace {link.namespace!r}", link.origin.at("namespace"), advice)
    for service in spec.services or ():
        yield from _service(service, names, spaces)
    yield from _ports(spec)
    if not wrong:
        yield from _room(spec)


def _networks(network: Networking) -> Iterator[Diagnostic]:
    seen: dict[str, Span | None] = {k.name: k.origin.at("name") for k in network.interfaces or ()}
    taken: list[tuple[IPv4Network | IPv6Network, str]] = []
    for link in network.interfaces or ():
        found = [interface(a) for a in link.addresses or () if "/" in a]
        taken += [(i.network, f"interface {link.name}") for i in found if i is not None]
    for place, own in enumerate(network.networks or ()):
        at = own.origin.at
        if not NAME.match(own.name) or own.name == "lo":
            advice = "use at most 15 letters, digits, and . _ - after the first"
            yield problem("F070", f"{own.name!r} is not a name for a network", at("name"), advice)
        if own.name in seen:
            note = f"the first is at {seen[own.name]}"
            yield problem("F070", f"there are two networks or interfaces {own.name!r}", at("name"), "rename one", note)
        seen.setdefault(own.name, at("name"))
        yield from _driver(own)
        for key in ("subnet", "subnet6"):
            text = getattr(own, key)
            if text is not None and (not is_subnet(text) or (":" in text) != (key == "subnet6")):
                example = "10.90.0.0/24" if key == "subnet" else "fd00:90::/64"
                yield problem("F071", f"{text!r} is no such network", at(key), f"write it such as {example}")
            elif text is not None or (key == "subnet" and own.driver != "cni"):
                net = ip_network(text) if text else subnet(own, place)
                other = next((o for o in taken if o[0].version == net.version and o[0].overlaps(net)), None)
                if other is not None:
                    advice = "give it a `subnet:` of its own"
                    yield problem("F072", f"{own.name} has {net}, and so has {other[1]}", at(key), advice)
                taken.append((net, f"network {own.name}"))


def _driver(own: NamedNetwork) -> Iterator[Diagnostic]:
    at = own.origin.at
    if own.driver == "cni":
        for key in ("subnet", "subnet6", "internal"):
            if getattr(own, key) is not None:
                advice = "say that in the list of plug-ins"
                yield problem("F077", f"`{key}` is for networks with a bridge", at(key), advice)
    elif own.conflist is not None:
        yield problem("F077", "`conflist` is for `driver: cni`", at("conflist"), "add that, or remove it")
    if own.conflist is not None and not own.conflist.startswith("/etc/cni/"):
        advice = "put it below /etc/cni/ with `files`"
        yield problem("F077", f"{own.conflist!r} is not where lists are kept", at("conflist"), advice)


def _known(name: str, names: dict[str, NamedNetwork], span: Span | None) -> Iterator[Diagnostic]:
    if name not in names:
        advice = did_you_mean(name, names, f"add it to `networks` of `network`: {{name: {name}}}")
        yield problem("F076", f"there is no network {name!r}", span, advice)


def _service(service: Item, names: dict[str, NamedNetwork], spaces: set[str]) -> Iterator[Diagnostic]:
    at = service.origin.at
    mine = service.networks or ()
    for i, name in enumerate(mine):
        yield from _known(name, names, at("networks", i))
        if name in mine[:i]:
            yield problem("F077", f"{service.name} is part of {name} twice", at("networks", i), "remove one")
    if mine and service.net is not None:
        advice = "keep `networks`; services that share a namespace have `net: NAME` and it has the networks"
        yield problem("F077", f"{service.name} has `net` and `networks`", at("net"), advice)
    if mine and service.name in spaces:
        advice = "rename one of them"
        yield problem("F070", f"{service.name} is the name of a namespace, too", at("name"), advice)
    if len(mine) > MOST:
        yield problem("F077", f"{service.name} is part of {len(mine)} networks", at("networks"), f"at most {MOST}")
    if service.ports and not mine and service.net not in spaces:
        if service.net in (None, "host", "root"):
            advice = "remove it: what shares the machine's network needs none; `finback run --publish` leads there"
        else:
            advice = "give it `networks` instead of `net`"
        yield problem(
            "F077", f"`ports` are of services with `networks`, and {service.name} has none", at("ports"), advice
        )
    elif service.ports and mine and all(names[n].internal for n in mine if n in names):
        yield warning("F075", f"{service.name} is part of internal networks only", at("ports"), "ports lead nowhere")


def _ports(spec: Spec) -> Iterator[Diagnostic]:
    seen: dict[tuple[int, str], Span | None] = {}
    for service in spec.services or ():
        for i, text in enumerate(service.ports or ()):
            span, found = service.origin.at("ports", i), port(text)
            if found is None:
                advice = 'write "[HOST:]SERVICE[/tcp|udp]", such as "8080:80"'
                yield problem("F077", f"{text!r} is not a port", span, advice)
                continue
            key = (found.host, found.protocol)
            if key in seen:
                message = f"port {found.host} leads to another service already"
                yield problem("F077", message, span, "use another port", f"the first is at {seen[key]}")
            seen.setdefault(key, span)


def _room(spec: Spec) -> Iterator[Diagnostic]:
    network = spec.network or Networking()
    try:
        for _ in endpoints(spec):
            pass
    except ValueError as failure:
        yield problem("F072", str(failure), network.origin.at("networks"), "write a larger `subnet`")
