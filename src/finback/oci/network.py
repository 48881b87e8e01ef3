"""How registries are reached: mirrors, plain HTTP, authorities, by name or pattern.

A pattern is a registry's name, `*.SUFFIX`, or `*`; the closest one decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from finback.ground.diagnostic import error
from finback.host.patience import Security
from finback.host.web import resolved
from finback.oci.reference import DEFAULT_REGISTRY

# Docker's registry is not where its name points to.
_HOSTS = {DEFAULT_REGISTRY: "registry-1.docker.io"}
_ALIASES = {"index.docker.io": DEFAULT_REGISTRY, "registry-1.docker.io": DEFAULT_REGISTRY}
_URL = re.compile(r"https?://[^/?#@\s]+(?:/[^?#@\s]*)?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What holds for the registries that `pattern` fits."""

    pattern: str
    mirrors: tuple[str, ...] = ()
    """Asked first, in this order, for whatever is read."""
    insecure: str = ""
    """`http`: it is spoken to without TLS; `tls`: its certificate is not checked."""
    authorities: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """All rules."""

    rules: tuple[Rule, ...] = ()

    def base(self, registry: str) -> str:
        """Where the registry itself is."""
        rule = self._closest(registry, "insecure")
        scheme = "http" if rule and rule.insecure == "http" else "https"
        return f"{scheme}://{_HOSTS.get(registry, registry)}"

    def may_be_plain(self, registry: str) -> bool:
        """Whether the registry may be without TLS though no rule says so: it is on this machine."""
        return self._closest(registry, "insecure") is None and not self._authorities(registry) and _is_here(registry)

    def mirrors(self, registry: str) -> tuple[str, ...]:
        """Where else to read what the registry has."""
        rule = self._closest(registry, "mirrors")
        return tuple(m.rstrip("/") for m in rule.mirrors) if rule else ()

    def security(self, host: str) -> Security:
        """Which certificates to believe at *host*."""
        rule = self._closest(host, "insecure")
        authorities = self._authorities(host)
        # Nobody else can answer for this machine. Source: Docker's registry/config.go, `insecure-registries`.
        is_unchecked = rule.insecure == "tls" if rule else not authorities and _is_here(host)
        unchecked = frozenset({host}) if is_unchecked else frozenset[str]()
        return Security(authorities=authorities, unchecked=unchecked)

    def _authorities(self, host: str) -> tuple[Path, ...]:
        return tuple(a for r in self.rules if _fits(r.pattern, host) for a in r.authorities)

    def _closest(self, registry: str, field: str) -> Rule | None:
        fitting = [r for r in self.rules if getattr(r, field) and _fits(r.pattern, registry)]
        # The first of equally close ones: the command line's rules come before the file's.
        return max(fitting, key=lambda r: (not r.pattern.startswith("*"), len(r.pattern)), default=None)


def mirror_rules(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Rules from `[REGISTRY=]URL`, as LinuxKit's `--mirror` takes them (compat 3.1).

    Raises:
        FinbackError: F042, a text has another form.

    """
    found: dict[str, list[str]] = {}
    for text in texts:
        pattern, equals, url = text.partition("=")
        if not equals or "://" in pattern:
            pattern, url = "*", text
        if not _URL.match(url) or resolved(url, url) is None or not pattern:
            raise error(
                "F042", f"{text!r} is not a mirror", help="write [REGISTRY=]URL, such as docker.io=https://HOST"
            )
        found.setdefault(_ALIASES.get(pattern, pattern), []).append(url)
    return tuple(Rule(pattern=p, mirrors=tuple(urls)) for p, urls in found.items())


def insecure_rules(texts: Iterable[str]) -> tuple[Rule, ...]:
    """Rules from `http://HOST`, to be spoken to without TLS, and `https://HOST`, whose certificate is not checked.

    Raises:
        FinbackError: F042, a text has another form.

    """
    rules = []
    for text in texts:
        found = re.fullmatch(r"(https?)://([^/?#@\s]+)/?", text)
        if not found:
            raise error(
                "F042",
                f"{text!r} does not say how {text} is insecure",
                help=f"write http://{text} if it has no TLS, https://{text} if its certificate can't be checked",
            )
        rules.append(Rule(pattern=found[2], insecure="tls" if found[1] == "https" else "http"))
    return tuple(rules)


def _is_here(registry: str) -> bool:
    """Whether the registry is on this machine: `localhost`, 127.0.0.0/8, ::1."""
    host = re.sub(r":[0-9]+\Z", "", registry).strip("[]").lower()
    if host == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _fits(pattern: str, registry: str) -> bool:
    if pattern.startswith("*"):
        return registry.endswith(pattern[1:])
    return _ALIASES.get(pattern, pattern) == registry or _HOSTS.get(pattern) == registry
